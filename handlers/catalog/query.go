package catalog

import (
	"context"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

const columns = "product_id, name, description, category_id, price, sku, is_active, attributes, version, created_at, updated_at"

// shown adds what is available over all locations: NULL until inventory has said something of the product.
const shown = columns + ", (SELECT CAST(SUM(available) AS BIGINT) FROM product_stock AS s WHERE s.product_id = products.product_id)"

func scan(s store.Scanner) (Product, error) { return scanWith(s) }

func scanShown(s store.Scanner) (Product, error) {
	var available *int64
	p, err := scanWith(s, &available)
	p.Available = available
	return p, err
}

func scanWith(s store.Scanner, more ...any) (p Product, err error) {
	var price, created, updated int64
	var text string
	err = s.Scan(append([]any{&p.ProductID, &p.Name, &p.Description, &p.CategoryID, &price, &p.SKU, &p.IsActive, &text, &p.Version, &created, &updated}, more...)...)
	p.Price, p.CreatedAt, p.UpdatedAt = events.Money(price), store.Time(created), store.Time(updated)
	if text != "" {
		p.Attributes = jsontext.Value(text)
	}
	return p, err
}

func find(ctx context.Context, r store.Reader, id string, deletedToo bool) (Product, bool, error) {
	query := "SELECT " + columns + " FROM products WHERE product_id = $1"
	if !deletedToo {
		query += " AND deleted = 0"
	}
	return store.One(ctx, r, scan, query, id)
}

// Get reads a product that is not deleted.
func (s *Service) Get(ctx context.Context, r store.Reader, id string) (Product, error) {
	p, found, err := store.One(ctx, r, scanShown, "SELECT "+shown+" FROM products WHERE product_id = $1 AND deleted = 0", id)
	if err == nil && !found {
		err = orNotFound(nil, id)
	}
	return p, err
}

// Filter chooses products of a list; After is the last id of the page before.
type Filter struct {
	Category string
	Active   *bool
	After    string
	Limit    int
}

// List reads products by id.
func (s *Service) List(ctx context.Context, r store.Reader, f Filter) ([]Product, error) {
	active := -1
	if f.Active != nil {
		active = store.Bit(*f.Active)
	}
	return store.All(ctx, r, scanShown, "SELECT "+shown+` FROM products WHERE deleted = 0 AND product_id > $1 AND ($2 = '' OR category_id = $2) AND ($3 < 0 OR is_active = $3)
		ORDER BY product_id LIMIT $4`, f.After, f.Category, active, f.Limit)
}

func orNotFound(err error, id string) error {
	if err != nil {
		return err
	}
	return store.Refuse(store.NotFound, "", "no product %s", id)
}

// attributes takes a product's attributes apart; canonical values compare by their bytes.
func attributes(text jsontext.Value) map[string]jsontext.Value {
	parts := map[string]jsontext.Value{}
	if len(text) == 0 || json.Unmarshal(text, &parts) != nil {
		return parts
	}
	for name, value := range parts {
		if value.Compact() == nil {
			parts[name] = value
		}
	}
	return parts
}

func sortedUnion(a, b map[string]jsontext.Value) []string {
	names := maps.Clone(a)
	maps.Copy(names, b)
	return slices.Sorted(maps.Keys(names))
}
