// Package search is the search service: it keeps what the catalog says about products in a full-text index, and finds them.
package search

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables: a folder per database, because full text is each one's own.
//
//go:embed migrations
var Migrations embed.FS

// Projection are the tables that derive from events; the index and the shelves follow the products by triggers.
var Projection = []string{"products", "words", "word_trigrams"}

// Service finds products.
type Service struct {
	// MostCounted is how many hits of a search for words or prices are counted, and ranked, at most; 1000 if 0. What is more common
	// costs more to count and to rank than the answer is worth. Whole categories are counted already.
	MostCounted int
}

// Product is a product as the index knows it.
type Product struct {
	ProductID   string         `json:"product_id"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	CategoryID  string         `json:"category_id"`
	Price       events.Money   `json:"price"`
	SKU         string         `json:"sku,omitzero"`
	IsActive    bool           `json:"is_active"`
	Attributes  jsontext.Value `json:"attributes,omitzero"`
	UpdatedAt   time.Time      `json:"updated_at"`
}

// document is a product as its row keeps it. A deleted one stays as a tombstone without words, so that what was written
// before the deletion and arrives after it is known to be stale.
type document struct {
	Product
	deleted  bool
	sequence int64
	words    words
}

// IndexCreated enters a product.
func (s *Service) IndexCreated(ctx context.Context, tx *store.Tx, e events.Event[events.ProductCreated]) error {
	p := e.Data
	return index(ctx, tx, e.Newer, document{sequence: e.Sequence, Product: Product{
		ProductID: p.ProductID, Name: p.Name, Description: p.Description, CategoryID: p.CategoryID, Price: p.Price, SKU: p.SKU, IsActive: p.IsActive,
		Attributes: p.Attributes, UpdatedAt: e.Timestamp,
	}})
}

// IndexUpdated replaces a product, its price too.
func (s *Service) IndexUpdated(ctx context.Context, tx *store.Tx, e events.Event[events.ProductUpdated]) error {
	p := e.Data
	return index(ctx, tx, e.Newer, document{sequence: e.Sequence, Product: Product{
		ProductID: p.ProductID, Name: p.Name, Description: p.Description, CategoryID: p.CategoryID, Price: p.Price, SKU: p.SKU, IsActive: p.IsActive,
		Attributes: p.Attributes, UpdatedAt: e.Timestamp,
	}})
}

// Remove takes a product out of the index.
func (s *Service) Remove(ctx context.Context, tx *store.Tx, e events.Event[events.ProductDeleted]) error {
	return index(ctx, tx, e.Newer, document{sequence: e.Sequence, deleted: true, Product: Product{ProductID: e.Data.ProductID, UpdatedAt: e.Timestamp}})
}

// index writes a product's newest state, and ignores what is older than the row was last written from.
func index(ctx context.Context, tx *store.Tx, newer func(int64, time.Time) bool, d document) error {
	old, found, err := find(ctx, tx, d.ProductID)
	if err != nil {
		return err
	}
	if found && !newer(old.sequence, old.UpdatedAt) {
		return store.Ignore("stale: a newer state of the product is known")
	}
	d.words = wordsOf(d.Product)
	if err := save(ctx, tx, d); err != nil {
		return fmt.Errorf("indexing product %s: %w", d.ProductID, err)
	}
	if err := learn(ctx, tx, old.words, d.words); err != nil {
		return fmt.Errorf("learning the words of product %s: %w", d.ProductID, err)
	}
	return nil
}

// number is a product's place in the index: derived from its id, so that an index filled again is the same, row by row.
func number(productID string) int64 {
	sum := sha256.Sum256([]byte(productID))
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 1)
}

const columns = "product_id, name, description, category_id, price, sku, is_active, attributes, at"

func scanProduct(s store.Scanner, more ...any) (p Product, err error) {
	var price, at int64
	var attributes string
	into := []any{&p.ProductID, &p.Name, &p.Description, &p.CategoryID, &price, &p.SKU, &p.IsActive, &attributes, &at}
	err = s.Scan(append(into, more...)...)
	p.Price, p.UpdatedAt = events.Money(price), store.Time(at)
	if attributes != "" {
		p.Attributes = jsontext.Value(attributes)
	}
	return p, err
}

func find(ctx context.Context, r store.Reader, id string) (document, bool, error) {
	return store.One(ctx, r, func(s store.Scanner) (d document, err error) {
		w := &d.words
		d.Product, err = scanProduct(s, &d.deleted, &d.sequence, &w.name, &w.sku, &w.attributes, &w.description)
		return d, err
	}, "SELECT "+columns+", deleted, sequence, name_words, sku_words, attribute_words, description_words FROM products WHERE doc = $1 AND product_id = $2", number(id), id)
}

func save(ctx context.Context, tx *store.Tx, d document) error {
	_, err := tx.Exec(ctx, `INSERT INTO products (doc, product_id, name, description, category_id, price, sku, is_active, attributes, at, deleted, sequence,
			name_words, sku_words, attribute_words, description_words)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (product_id) DO UPDATE SET name = excluded.name, description = excluded.description, category_id = excluded.category_id, price = excluded.price,
			sku = excluded.sku, is_active = excluded.is_active, attributes = excluded.attributes, at = excluded.at, deleted = excluded.deleted, sequence = excluded.sequence,
			name_words = excluded.name_words, sku_words = excluded.sku_words, attribute_words = excluded.attribute_words, description_words = excluded.description_words`,
		number(d.ProductID), d.ProductID, d.Name, d.Description, d.CategoryID, int64(d.Price), d.SKU, store.Bit(d.IsActive), string(d.Attributes), store.Micros(d.UpdatedAt),
		store.Bit(d.deleted), d.sequence, d.words.name, d.words.sku, d.words.attributes, d.words.description)
	return err
}
