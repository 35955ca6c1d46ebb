package simulator

import (
	"context"
	"net/url"
	"slices"
)

// category is the run's own, so that its products can be told from others.
func (s *shop) category() string { return "cat_" + s.r.id }

// look searches as a shopper does before an order.
func (r *run) look(ctx context.Context, o *order) error {
	if !r.has("search") {
		return nil
	}
	query := url.Values{"q": {"product " + o.lines[0].product.id}, "category": {r.shop.category()}, "limit": {"10"}}
	return r.http.get(ctx, "/search?"+query.Encode(), nil)
}

type foundFacts struct {
	ID string `json:"product_id"`
}

func (r *run) recountSearch(ctx context.Context, b *books) error {
	found := map[string][]foundFacts{}
	for _, q := range []string{"", "product"} { // browsing, and a word that stands in every name
		query := url.Values{"category": {r.shop.category()}, "active": {"true"}}
		if q != "" {
			query.Set("q", q)
		}
		list, err := all[foundFacts](ctx, r.http, "/search", query)
		if err != nil {
			return err
		}
		found[q] = list
	}
	var active []string
	for _, p := range r.shop.products {
		var facts struct {
			Active bool `json:"is_active"`
		}
		err := r.http.get(ctx, "/products/"+p.id, &facts)
		if refusedWith(err, "not_found") {
			continue
		}
		if err != nil {
			return err
		}
		if facts.Active {
			active = append(active, p.id)
		}
	}
	for q, list := range found {
		b.found(q, active, list)
	}
	return nil
}

// found checks that a search that fits every product of the run finds exactly the active ones, each once.
func (b *books) found(q string, active []string, found []foundFacts) {
	r := b.rule("search: finds exactly the active products")
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.ID
		r.check(slices.Contains(active, f.ID), "a search for %q finds %s, which is not active", q, f.ID)
	}
	slices.Sort(ids)
	for i, id := range ids {
		r.check(i == 0 || id != ids[i-1], "a search for %q finds %s twice", q, id)
	}
	for _, id := range active {
		_, there := slices.BinarySearch(ids, id)
		r.check(there, "a search for %q does not find %s", q, id)
	}
}
