package inventory

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Level is what lies of a product at a location.
type Level struct {
	ProductID, LocationID                  string
	Adjusted, Shipped, Reserved, Threshold int64
}

// OnHand is what lies there: Σ adjustments − Σ shipped.
func (l Level) OnHand() int64 { return l.Adjusted - l.Shipped }

// Available is what may still be reserved.
func (l Level) Available() int64 { return l.OnHand() - l.Reserved }

const levelColumns = "product_id, location_id, adjusted, shipped, reserved, threshold"

func scanLevel(s store.Scanner) (l Level, err error) {
	return l, s.Scan(&l.ProductID, &l.LocationID, &l.Adjusted, &l.Shipped, &l.Reserved, &l.Threshold)
}

func findLevel(ctx context.Context, r store.Reader, product, location string) (Level, bool, error) {
	return store.One(ctx, r, scanLevel, "SELECT "+levelColumns+" FROM stock WHERE product_id = $1 AND location_id = $2", product, location)
}

func levelsOf(ctx context.Context, r store.Reader, product string) ([]Level, error) {
	return store.All(ctx, r, scanLevel, "SELECT "+levelColumns+" FROM stock WHERE product_id = $1 ORDER BY location_id", product)
}

func saveLevel(ctx context.Context, tx *store.Tx, l Level) error {
	_, err := tx.Exec(ctx, `INSERT INTO stock (product_id, location_id, adjusted, shipped, reserved, threshold) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (product_id, location_id) DO UPDATE SET adjusted = excluded.adjusted, shipped = excluded.shipped, reserved = excluded.reserved, threshold = excluded.threshold`,
		l.ProductID, l.LocationID, l.Adjusted, l.Shipped, l.Reserved, l.Threshold)
	if err != nil {
		return fmt.Errorf("saving stock of %s at %s: %w", l.ProductID, l.LocationID, err)
	}
	return nil
}

// shelf is the stock that an order asks for, read once, changed in memory line by line.
type shelf struct {
	levels   map[string][]*Level // by product
	location string              // the default one wins a tie
	refused  map[string]bool     // products that cannot be ordered
}

// loadShelf locks the stock of every product of the lines and reads it. reason says why an order of them is refused whatever the stock.
func (s *Service) loadShelf(ctx context.Context, tx *store.Tx, items []events.Item) (*shelf, string, error) {
	sh := &shelf{levels: map[string][]*Level{}, location: s.DefaultLocation, refused: map[string]bool{}}
	reason := ""
	products := make([]string, len(items))
	for i, item := range items {
		products[i] = item.ProductID
	}
	if err := tx.Lock(ctx, products...); err != nil {
		return nil, "", err
	}
	for _, item := range items {
		if _, loaded := sh.levels[item.ProductID]; loaded {
			continue
		}
		levels, err := levelsOf(ctx, tx, item.ProductID)
		if err != nil {
			return nil, "", err
		}
		p, known, err := findProduct(ctx, tx, item.ProductID)
		if err != nil {
			return nil, "", err
		}
		sh.levels[item.ProductID] = pointers(levels)
		sh.refused[item.ProductID] = !known || !p.active || p.deleted
		switch {
		case !known:
			reason = events.ReasonUnknownProduct
		case sh.refused[item.ProductID] && reason == "":
			reason = events.ReasonInactiveProduct
		}
	}
	return sh, reason, nil
}

func pointers(levels []Level) []*Level {
	all := make([]*Level, len(levels))
	for i := range levels {
		all[i] = &levels[i]
	}
	return all
}

// pick chooses a location for every line; short lists the lines for which there is none.
func (sh *shelf) pick(items []events.Item) (picks []*Level, short []events.Shortage) {
	promised := map[*Level]int64{}
	for _, item := range items {
		at := sh.bestOf(item.ProductID, "", item.Quantity, promised)
		if at == nil || sh.refused[item.ProductID] {
			short = append(short, events.Shortage{ProductID: item.ProductID, Requested: item.Quantity, Available: sh.most(item.ProductID, promised)})
			picks = append(picks, nil)
			continue
		}
		promised[at] += item.Quantity
		picks = append(picks, at)
	}
	return picks, short
}

func (sh *shelf) best(product, location string, quantity int64) *Level {
	return sh.bestOf(product, location, quantity, nil)
}

// bestOf is the location with the most available, the default one first among equals.
func (sh *shelf) bestOf(product, location string, quantity int64, promised map[*Level]int64) *Level {
	var fitting []*Level
	for _, l := range sh.levels[product] {
		if l.Available()-promised[l] >= quantity && (location == "" || l.LocationID == location) {
			fitting = append(fitting, l)
		}
	}
	if len(fitting) == 0 {
		return nil
	}
	return slices.MaxFunc(fitting, func(a, b *Level) int {
		if d := (a.Available() - promised[a]) - (b.Available() - promised[b]); d != 0 {
			return int(d)
		}
		if a.LocationID == sh.location {
			return 1
		}
		return 0
	})
}

func (sh *shelf) most(product string, promised map[*Level]int64) int64 {
	var most int64
	for _, l := range sh.levels[product] {
		most = max(most, l.Available()-promised[l])
	}
	return most
}

// Status of a reservation.
const (
	Open     = "open"
	Released = "released"
	Shipped  = "shipped"
)

// Reservation is stock held for somebody.
type Reservation struct {
	ReservationID string     `json:"reservation_id"`
	ProductID     string     `json:"product_id"`
	LocationID    string     `json:"location_id"`
	OrderID       string     `json:"order_id,omitzero"`
	Quantity      int64      `json:"quantity"`
	Status        string     `json:"status"`
	ExpiresAt     *time.Time `json:"expires_at,omitzero"`
	correlation   string
	byHand        bool
}

const reservationColumns = "reservation_id, product_id, location_id, order_id, quantity, status, expires_at, correlation, by_hand"

func scanReservation(s store.Scanner) (r Reservation, err error) {
	var expires sql.NullInt64
	err = s.Scan(&r.ReservationID, &r.ProductID, &r.LocationID, &r.OrderID, &r.Quantity, &r.Status, &expires, &r.correlation, &r.byHand)
	r.ExpiresAt = store.TimeOf(expires)
	return r, err
}

func findReservation(ctx context.Context, r store.Reader, id string) (Reservation, bool, error) {
	return store.One(ctx, r, scanReservation, "SELECT "+reservationColumns+" FROM reservations WHERE reservation_id = $1", id)
}

func reservationsOf(ctx context.Context, r store.Reader, order string) ([]Reservation, error) {
	return store.All(ctx, r, scanReservation, "SELECT "+reservationColumns+" FROM reservations WHERE order_id = $1 ORDER BY reservation_id", order)
}

// lockReservation finds a reservation whose product's stock, and so its status, nobody else changes until the commit.
func lockReservation(ctx context.Context, tx *store.Tx, id string) (Reservation, bool, error) {
	r, found, err := findReservation(ctx, tx, id)
	if err != nil || !found {
		return r, false, err
	}
	if err := tx.Lock(ctx, r.ProductID); err != nil {
		return r, false, err
	}
	return findReservation(ctx, tx, id)
}

// lockReservationsOf is lockReservation for those of an order.
func lockReservationsOf(ctx context.Context, tx *store.Tx, order string) ([]Reservation, error) {
	held, err := reservationsOf(ctx, tx, order)
	if err != nil {
		return nil, err
	}
	products := make([]string, len(held))
	for i, r := range held {
		products[i] = r.ProductID
	}
	if err := tx.Lock(ctx, products...); err != nil {
		return nil, err
	}
	return reservationsOf(ctx, tx, order)
}

func saveReservation(ctx context.Context, tx *store.Tx, r Reservation) error {
	_, err := tx.Exec(ctx, `INSERT INTO reservations (reservation_id, product_id, location_id, order_id, quantity, status, expires_at, correlation, by_hand) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.ReservationID, r.ProductID, r.LocationID, r.OrderID, r.Quantity, r.Status, store.MicrosOf(r.ExpiresAt), r.correlation, store.Bit(r.byHand))
	return err
}

func setStatus(ctx context.Context, tx *store.Tx, id, status string) error {
	_, err := tx.Exec(ctx, "UPDATE reservations SET status = $1 WHERE reservation_id = $2", status, id)
	return err
}

func closeOrder(ctx context.Context, tx *store.Tx, order string) error {
	_, err := tx.Exec(ctx, "INSERT INTO closed_orders (order_id) VALUES ($1) ON CONFLICT (order_id) DO NOTHING", order)
	return err
}

func isClosed(ctx context.Context, r store.Reader, order string) (bool, error) {
	_, found, err := store.One(ctx, r, func(s store.Scanner) (id string, err error) { return id, s.Scan(&id) }, "SELECT order_id FROM closed_orders WHERE order_id = $1", order)
	return found, err
}

// product is what the catalog last said about a product.
type product struct {
	active, deleted bool
	sequence        int64
	at              time.Time
}

func findProduct(ctx context.Context, r store.Reader, id string) (product, bool, error) {
	return store.One(ctx, r, func(s store.Scanner) (p product, err error) {
		var at int64
		err = s.Scan(&p.active, &p.deleted, &p.sequence, &at)
		p.at = store.Time(at)
		return p, err
	}, "SELECT is_active, deleted, sequence, at FROM products WHERE product_id = $1", id)
}

// trackProduct keeps the newest word of the catalog; a deletion is the last one.
func trackProduct(ctx context.Context, tx *store.Tx, id string, active, deleted bool, sequence int64, at time.Time, newer func(int64, time.Time) bool) error {
	last, known, err := findProduct(ctx, tx, id)
	if err != nil {
		return err
	}
	if known && (last.deleted || !newer(last.sequence, last.at)) {
		return store.Ignore("stale: a newer state of the product is known")
	}
	_, err = tx.Exec(ctx, `INSERT INTO products (product_id, is_active, deleted, sequence, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (product_id) DO UPDATE SET is_active = excluded.is_active, deleted = excluded.deleted, sequence = excluded.sequence, at = excluded.at`,
		id, store.Bit(active), store.Bit(deleted), sequence, store.Micros(at))
	if err != nil {
		return fmt.Errorf("tracking product %s: %w", id, err)
	}
	return nil
}

func orMissing(err error, r Reservation) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("reservation %s points to stock of %s at %s, which does not exist", r.ReservationID, r.ProductID, r.LocationID)
}

// Stock reads a product's levels by location; NotFound if inventory does not know it.
func (s *Service) Stock(ctx context.Context, r store.Reader, id string) ([]Level, error) {
	levels, err := levelsOf(ctx, r, id)
	if err == nil && len(levels) == 0 {
		err = store.Refuse(store.NotFound, "", "no product %s", id)
	}
	return levels, err
}

// LowStock reads the levels at or below their threshold, after one (product, location) of the page before.
func (s *Service) LowStock(ctx context.Context, r store.Reader, afterProduct, afterLocation string, limit int) ([]Level, error) {
	return store.All(ctx, r, scanLevel, "SELECT "+levelColumns+` FROM stock WHERE adjusted - shipped - reserved <= threshold
		AND (product_id > $1 OR (product_id = $1 AND location_id > $2)) ORDER BY product_id, location_id LIMIT $3`, afterProduct, afterLocation, limit)
}

// Reservations reads reservations (of one order, unless order is "") after an id.
func (s *Service) Reservations(ctx context.Context, r store.Reader, order, after string, limit int) ([]Reservation, error) {
	if order != "" {
		return store.All(ctx, r, scanReservation, "SELECT "+reservationColumns+" FROM reservations WHERE order_id = $1 AND reservation_id > $2 ORDER BY reservation_id LIMIT $3", order, after, limit)
	}
	return store.All(ctx, r, scanReservation, "SELECT "+reservationColumns+" FROM reservations WHERE reservation_id > $1 ORDER BY reservation_id LIMIT $2", after, limit)
}
