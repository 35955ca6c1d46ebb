package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// part is what one of the services that only listen adds to the recount.
type part struct {
	service string
	asks    string // a path that its HTTP resource answers
	recount func(ctx context.Context, b *books) error
}

// parts are the services beyond the five that take and serve orders. A platform without one is recounted without it.
func (r *run) parts() []part {
	return []part{
		{"search", "/search?limit=1", r.recountSearch},
		{"analytics", "/analytics/revenue", r.recountRevenue},
		{"audit", "/audit?limit=1", r.recountTrail},
		{"procurement", "/purchase-orders?limit=1", r.recountPurchases},
		{"customers", "/customers/nobody/orders", r.recountCustomers},
		{"accounting", "/accounting/trial-balance", r.recountJournal},
		{"notifications", "/notifications?limit=1", r.recountMessages},
	}
}

// has tells whether the platform runs a service.
func (r *run) has(service string) bool { return slices.Contains(r.services, service) }

// findParts finds out which of the parts are there: an older server may run a service and not answer for it yet.
func (r *run) findParts(ctx context.Context, running []string) error {
	for _, p := range r.parts() {
		if !slices.Contains(running, p.service) {
			continue
		}
		err := r.http.get(ctx, p.asks, nil)
		if err == nil {
			r.services = append(r.services, p.service)
		} else if !refusedWith(err, "not_found") {
			return err
		}
	}
	return nil
}

var errOthers = errors.New("others ordered meanwhile")

// recountParts recounts the services that are there, and names those that are not.
func (r *run) recountParts(ctx context.Context, b *books) (skipped []string, err error) {
	for _, p := range r.parts() {
		if !r.has(p.service) {
			skipped = append(skipped, p.service)
			continue
		}
		err := p.recount(ctx, b)
		if errors.Is(err, errOthers) {
			skipped = append(skipped, p.service+" ("+err.Error()+")")
			continue
		}
		if err != nil {
			return skipped, fmt.Errorf("recounting %s: %w", p.service, err)
		}
	}
	return skipped, nil
}

// all reads every page of a list.
func all[T any](ctx context.Context, c *client, path string, query url.Values) ([]T, error) {
	return allUntil(ctx, c, path, query, func(T) bool { return false })
}

// allUntil reads a list up to the item that last tells, without it.
func allUntil[T any](ctx context.Context, c *client, path string, query url.Values, last func(T) bool) (list []T, err error) {
	query.Set("limit", "200")
	for {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next_cursor"`
		}
		if err := c.get(ctx, path+"?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(page.Items, last); i >= 0 {
			return append(list, page.Items[:i]...), nil
		}
		list = append(list, page.Items...)
		if page.Next == "" {
			return list, nil
		}
		query.Set("cursor", page.Next)
	}
}
