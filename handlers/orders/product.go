package orders

import (
	"context"
	"fmt"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

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

// priceAt is the price that held at a time.
func priceAt(ctx context.Context, r store.Reader, id string, at time.Time) (events.Money, bool, error) {
	return store.One(ctx, r, func(s store.Scanner) (events.Money, error) {
		var price int64
		err := s.Scan(&price)
		return events.Money(price), err
	}, "SELECT price FROM prices WHERE product_id = $1 AND since <= $2 ORDER BY since DESC LIMIT 1", id, store.Micros(at))
}

func setPrice(ctx context.Context, tx *store.Tx, id string, since time.Time, price events.Money) error {
	_, err := tx.Exec(ctx, "INSERT INTO prices (product_id, since, price) VALUES ($1, $2, $3) ON CONFLICT (product_id, since) DO UPDATE SET price = excluded.price",
		id, store.Micros(since), int64(price))
	if err != nil {
		return fmt.Errorf("noting the price of %s: %w", id, err)
	}
	return nil
}

// TrackCreated learns of a product and its first price.
func (s *Service) TrackCreated(ctx context.Context, tx *store.Tx, e events.Event[events.ProductCreated]) error {
	if err := setPrice(ctx, tx, e.Data.ProductID, e.Timestamp, e.Data.Price); err != nil {
		return err
	}
	return track(ctx, tx, e.Data.ProductID, e.Data.IsActive, false, e.Sequence, e.Timestamp, e.Newer)
}

// TrackUpdated keeps whether a product may be ordered, and learns its price from whoever announces no price changes.
func (s *Service) TrackUpdated(ctx context.Context, tx *store.Tx, e events.Event[events.ProductUpdated]) error {
	known, found, err := priceAt(ctx, tx, e.Data.ProductID, e.Timestamp)
	if err != nil {
		return err
	}
	if !found || known != e.Data.Price {
		if err := setPrice(ctx, tx, e.Data.ProductID, e.Timestamp, e.Data.Price); err != nil {
			return err
		}
	}
	return track(ctx, tx, e.Data.ProductID, e.Data.IsActive, false, e.Sequence, e.Timestamp, e.Newer)
}

// TrackDeleted learns that a product can no longer be ordered.
func (s *Service) TrackDeleted(ctx context.Context, tx *store.Tx, e events.Event[events.ProductDeleted]) error {
	return track(ctx, tx, e.Data.ProductID, false, true, e.Sequence, e.Timestamp, e.Newer)
}

// TrackPrice learns a price with the time from which it holds.
func (s *Service) TrackPrice(ctx context.Context, tx *store.Tx, e events.Event[events.ProductPriceChanged]) error {
	since := e.Timestamp
	if e.Data.EffectiveDate != nil && e.Data.EffectiveDate.After(since) {
		since = *e.Data.EffectiveDate
	}
	return setPrice(ctx, tx, e.Data.ProductID, since, e.Data.NewPrice)
}

// TrackOutOfStock records that a product ran out; no event takes it back, so that it refuses no order.
func (s *Service) TrackOutOfStock(ctx context.Context, tx *store.Tx, e events.Event[events.ProductOutOfStock]) error {
	n, err := tx.Exec(ctx, "UPDATE products SET out_at = $1 WHERE product_id = $2", store.Micros(e.Timestamp), e.Data.ProductID)
	if err == nil && n == 0 {
		return store.Ignore("the product is unknown here")
	}
	return err
}

// track keeps the newest word of the catalog; a deletion is the last one.
func track(ctx context.Context, tx *store.Tx, id string, active, deleted bool, sequence int64, at time.Time, newer func(int64, time.Time) bool) error {
	last, known, err := findProduct(ctx, tx, id)
	if err != nil {
		return err
	}
	if known && (last.deleted || !newer(last.sequence, last.at)) {
		return nil // the price was news all the same
	}
	_, err = tx.Exec(ctx, `INSERT INTO products (product_id, is_active, deleted, sequence, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (product_id) DO UPDATE SET is_active = excluded.is_active, deleted = excluded.deleted, sequence = excluded.sequence, at = excluded.at`,
		id, store.Bit(active), store.Bit(deleted), sequence, store.Micros(at))
	if err != nil {
		return fmt.Errorf("tracking product %s: %w", id, err)
	}
	return nil
}
