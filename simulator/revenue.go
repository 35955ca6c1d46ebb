package simulator

import (
	"context"
	"fmt"
	"strings"

	"github.com/first-viscount/viscount/events"
)

// revenueFacts are what analytics has counted since the platform began, in every currency.
type revenueFacts struct{ gross, refunded events.Money }

func (r *run) revenue(ctx context.Context) (sum revenueFacts, err error) {
	var report struct {
		Items []struct {
			Gross    events.Money `json:"gross"`
			Refunded events.Money `json:"refunded"`
		} `json:"items"`
	}
	err = r.http.get(ctx, "/analytics/revenue", &report)
	for _, row := range report.Items {
		sum.gross += row.Gross
		sum.refunded += row.Refunded
	}
	return sum, err
}

// begin notes which messages stood and what analytics had counted before the run, when nothing was on its way.
func (r *run) begin(ctx context.Context) (err error) {
	if err := r.markMessages(ctx); err != nil || !r.has("analytics") {
		return err
	}
	if err := r.quiesce(ctx); err != nil {
		return err
	}
	r.before, err = r.revenue(ctx)
	return err
}

// own tells whether an order is the run's.
func (r *run) own(order string) bool {
	return strings.HasPrefix(order, fmt.Sprintf("order_%d_%s_", r.Seed, r.id))
}

// recountRevenue compares what analytics counted during the run. Its reports are the whole platform's: where others ordered
// too, they cannot be taken apart.
func (r *run) recountRevenue(ctx context.Context, b *books) error {
	if r.watch.others.Load() {
		return errOthers
	}
	after, err := r.revenue(ctx)
	if err != nil {
		return err
	}
	b.counted(revenueFacts{after.gross - r.before.gross, after.refunded - r.before.refunded})
	return nil
}

// counted checks revenue to the cent: what completed orders brought, less what went back of them.
func (b *books) counted(during revenueFacts) {
	var want revenueFacts
	for _, o := range b.ended {
		if o.completed {
			want.gross += o.final
			want.refunded += o.refunded
		}
	}
	b.rule("analytics: revenue is that of completed orders").check(during == want, "analytics counted %s and %s refunded, orders say %s and %s", during.gross, during.refunded, want.gross, want.refunded)
}
