package audit

import (
	"fmt"

	"github.com/first-viscount/viscount/events"
)

// fact is what an adjustment and its record must agree on.
type fact struct {
	source, correlation, product, location, kind, reason, reference string
	from, to                                                        int64
}

func factOf(r Record) fact {
	return fact{
		source: r.SourceService, correlation: r.CorrelationID, product: r.ProductID, location: r.LocationID, kind: r.AdjustmentType, reason: r.Reason, reference: r.ReferenceNumber,
		from: r.OldQuantity, to: r.NewQuantity,
	}
}

// Compare holds an adjustment, as its publisher has recorded it in another database, against the trail. It tells even a trail
// that was rewritten as a whole, with every hash.
func (v *Verification) Compare(e events.Envelope, data events.InventoryAdjusted) (Finding, bool) {
	id := e.EventID.String()
	got, found := v.facts[id]
	if !found {
		return Finding{Kind: Missing, EventID: id, Detail: fmt.Sprintf("the adjustment of %s (event %s), which its publisher has recorded, stands in no record", data.ProductID, id)}, true
	}
	want := fact{
		source: e.SourceService, correlation: e.CorrelationID, product: data.ProductID, location: data.LocationID, kind: data.AdjustmentType, reason: data.Reason, reference: data.ReferenceNumber,
		from: data.OldQuantity, to: data.NewQuantity,
	}
	if got == want {
		return Finding{}, false
	}
	return Finding{Kind: Rewritten, EventID: id, Detail: fmt.Sprintf("the record of event %s says something else than the event, which its publisher has recorded", id)}, true
}
