// Package catalog is the product catalog service: products, their prices, and whether they are in stock.
package catalog

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Service holds the catalog's rules.
type Service struct {
	DefaultLocation string // where stock without a location lies
}

// Product is one product as people see it.
type Product struct {
	ProductID   string         `json:"product_id"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	CategoryID  string         `json:"category_id"`
	Price       events.Money   `json:"price"`
	SKU         string         `json:"sku,omitzero"`
	IsActive    bool           `json:"is_active"`
	Attributes  jsontext.Value `json:"attributes,omitzero"`
	Available   *int64         `json:"available,omitzero"` // over all locations, where Get and List know it; no part of the version
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
	Version     int64          `json:"-"` // the ETag
}

// Create enters a product. The same product again is answered as it stands, so that a client may repeat itself.
func (s *Service) Create(ctx context.Context, tx *store.Tx, p Product) (Product, error) {
	if p.ProductID == "" {
		p.ProductID = tx.NewID("prod")
	}
	if err := tx.Lock(ctx, p.ProductID); err != nil {
		return p, err
	}
	known, found, err := find(ctx, tx, p.ProductID, true)
	if err != nil {
		return p, err
	}
	if found {
		if known.sameAs(p) {
			return known, nil
		}
		return p, store.Refuse(store.AlreadyExists, "/product_id", "a product %s exists, or existed, with other content", p.ProductID)
	}
	p.CreatedAt, p.UpdatedAt, p.Version = tx.Now(), tx.Now(), 1
	_, err = tx.Exec(ctx, `INSERT INTO products (product_id, name, description, category_id, price, sku, is_active, attributes, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`,
		p.ProductID, p.Name, p.Description, p.CategoryID, int64(p.Price), p.SKU, store.Bit(p.IsActive), string(p.Attributes), p.Version, store.Micros(tx.Now()))
	if err != nil {
		return p, fmt.Errorf("creating product %s: %w", p.ProductID, err)
	}
	return p, tx.Emit(events.ProductCreated{
		ProductID: p.ProductID, Name: p.Name, Description: p.Description, CategoryID: p.CategoryID, Price: p.Price, SKU: p.SKU, IsActive: p.IsActive, Attributes: p.Attributes,
	})
}

func (p Product) sameAs(q Product) bool { return len(changes(p, q)) == 0 && p.Price == q.Price }

// Update replaces a product. ifMatch is the version that the caller saw, 0 if it does not care; effective is when a new
// price begins, nil for at once. What changes nothing emits nothing.
func (s *Service) Update(ctx context.Context, tx *store.Tx, p Product, ifMatch int64, effective *time.Time) (Product, error) {
	if err := tx.Lock(ctx, p.ProductID); err != nil {
		return p, err
	}
	old, found, err := find(ctx, tx, p.ProductID, false)
	if err != nil || !found {
		return p, orNotFound(err, p.ProductID)
	}
	if ifMatch != 0 && ifMatch != old.Version {
		return p, store.Refuse(store.Outdated, "", "the product has changed: its version is %d, not %d", old.Version, ifMatch)
	}
	price := p.Price
	later := price != old.Price && effective != nil && effective.After(tx.Now())
	if later {
		p.Price = old.Price
		err = tx.Enqueue(ctx, store.Job{
			Kind: ApplyPriceJob, Name: p.ProductID + "@" + effective.UTC().Format(time.RFC3339Nano) + "=" + price.String(), Key: p.ProductID, Due: *effective,
			Payload: PriceChange{ProductID: p.ProductID, Price: price},
		})
		if err != nil {
			return p, err
		}
	}
	if price != old.Price {
		if err := tx.Emit(events.ProductPriceChanged{ProductID: p.ProductID, OldPrice: old.Price, NewPrice: price, EffectiveDate: effective}); err != nil {
			return p, err
		}
	}
	return s.save(ctx, tx, old, p)
}

// save writes a changed product and emits product.updated with what differs.
func (s *Service) save(ctx context.Context, tx *store.Tx, old, p Product) (Product, error) {
	p.CreatedAt, p.UpdatedAt, p.Version = old.CreatedAt, old.UpdatedAt, old.Version
	diff := changes(old, p)
	if len(diff) == 0 {
		return p, nil
	}
	p.UpdatedAt, p.Version = tx.Now(), old.Version+1
	_, err := tx.Exec(ctx, `UPDATE products SET name = $1, description = $2, category_id = $3, price = $4, sku = $5, is_active = $6, attributes = $7, version = $8, updated_at = $9
		WHERE product_id = $10`,
		p.Name, p.Description, p.CategoryID, int64(p.Price), p.SKU, store.Bit(p.IsActive), string(p.Attributes), p.Version, store.Micros(tx.Now()), p.ProductID)
	if err != nil {
		return p, fmt.Errorf("updating product %s: %w", p.ProductID, err)
	}
	return p, tx.Emit(events.ProductUpdated{
		ProductID: p.ProductID, Name: p.Name, Description: p.Description, CategoryID: p.CategoryID, Price: p.Price, SKU: p.SKU, IsActive: p.IsActive,
		Attributes: p.Attributes, Changes: diff,
	})
}

// ApplyPriceJob is the kind of the job that makes a planned price effective.
const ApplyPriceJob = "apply-price"

// PriceChange is a planned price.
type PriceChange struct {
	ProductID string       `json:"product_id"`
	Price     events.Money `json:"price"`
}

// ApplyPrice makes a planned price effective, unless the product is gone.
func (s *Service) ApplyPrice(ctx context.Context, tx *store.Tx, change PriceChange) error {
	old, found, err := find(ctx, tx, change.ProductID, false)
	if err != nil || !found {
		return err
	}
	p := old
	p.Price = change.Price
	_, err = s.save(ctx, tx, old, p)
	return err
}

// Delete takes a product out of the catalog for good.
func (s *Service) Delete(ctx context.Context, tx *store.Tx, id, reason string) error {
	if err := tx.Lock(ctx, id); err != nil {
		return err
	}
	p, found, err := find(ctx, tx, id, false)
	if err != nil || !found {
		return orNotFound(err, id)
	}
	if _, err := tx.Exec(ctx, "UPDATE products SET deleted = 1, is_active = 0, updated_at = $1 WHERE product_id = $2", store.Micros(tx.Now()), id); err != nil {
		return fmt.Errorf("deleting product %s: %w", id, err)
	}
	return tx.Emit(events.ProductDeleted{ProductID: id, Name: p.Name, Reason: reason})
}

// TrackStock keeps what is available per location and announces when a product has run out everywhere.
func (s *Service) TrackStock(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryUpdated]) error {
	stock := e.Data
	location := stock.LocationID
	if location == "" {
		location = s.DefaultLocation
	}
	available := stock.Quantity
	if stock.AvailableQuantity != nil {
		available = *stock.AvailableQuantity
	} else if stock.ReservedQuantity != nil {
		available -= *stock.ReservedQuantity
	}
	before, last, err := readStock(ctx, tx, stock.ProductID, location)
	if err != nil {
		return err
	}
	if last.found && !e.Newer(last.sequence, last.at) {
		return store.Ignore("stale: a newer stock level is known")
	}
	_, err = tx.Exec(ctx, `INSERT INTO product_stock (product_id, location_id, available, sequence, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (product_id, location_id) DO UPDATE SET available = excluded.available, sequence = excluded.sequence, at = excluded.at`,
		stock.ProductID, location, available, e.Sequence, store.Micros(e.Timestamp))
	if err != nil {
		return fmt.Errorf("tracking stock of %s: %w", stock.ProductID, err)
	}
	if after := before - last.available + available; before > 0 && after <= 0 {
		return tx.Emit(events.ProductOutOfStock{ProductID: stock.ProductID, LastStockLevel: 0, LocationID: location})
	}
	return nil
}

// level is what was last written for a location.
type level struct {
	found     bool
	available int64
	sequence  int64
	at        time.Time
}

// readStock gives the sum over all locations and the level of one.
func readStock(ctx context.Context, r store.Reader, product, location string) (sum int64, last level, err error) {
	type row struct {
		location string
		level    level
	}
	rows, err := store.All(ctx, r, func(s store.Scanner) (one row, err error) {
		var at int64
		err = s.Scan(&one.location, &one.level.available, &one.level.sequence, &at)
		one.level.at, one.level.found = store.Time(at), true
		return one, err
	}, "SELECT location_id, available, sequence, at FROM product_stock WHERE product_id = $1", product)
	for _, one := range rows {
		sum += one.level.available
		if one.location == location {
			last = one.level
		}
	}
	return sum, last, err
}

// changes lists the fields that differ, attributes by their dotted path.
func changes(old, p Product) []events.Change {
	var all []events.Change
	add := func(field string, before, after any) {
		all = append(all, events.Change{Field: field, OldValue: raw(before), NewValue: raw(after)})
	}
	if old.Name != p.Name {
		add("name", old.Name, p.Name)
	}
	if old.Description != p.Description {
		add("description", old.Description, p.Description)
	}
	if old.CategoryID != p.CategoryID {
		add("category_id", old.CategoryID, p.CategoryID)
	}
	if old.Price != p.Price {
		add("price", old.Price, p.Price)
	}
	if old.SKU != p.SKU {
		add("sku", old.SKU, p.SKU)
	}
	if old.IsActive != p.IsActive {
		add("is_active", old.IsActive, p.IsActive)
	}
	before, after := attributes(old.Attributes), attributes(p.Attributes)
	for _, name := range sortedUnion(before, after) {
		if !bytes.Equal(before[name], after[name]) {
			all = append(all, events.Change{Field: "attributes." + name, OldValue: orNull(before[name]), NewValue: orNull(after[name])})
		}
	}
	return all
}

func raw(v any) jsontext.Value {
	text, err := json.Marshal(v)
	if err != nil {
		return jsontext.Value("null")
	}
	return text
}

func orNull(v jsontext.Value) jsontext.Value {
	if v == nil {
		return jsontext.Value("null")
	}
	return v
}
