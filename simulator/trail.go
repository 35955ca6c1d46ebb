package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// record is one of the audit trail, as its line of the export tells it.
type record struct {
	Sequence  int64  `json:"sequence"`
	EventID   string `json:"event_id"`
	Product   string `json:"product_id"`
	Old       int64  `json:"old_quantity"`
	New       int64  `json:"new_quantity"`
	Reference string `json:"reference_number"`
	Previous  string `json:"previous_hash"`
	Hash      string `json:"hash"`

	seal string // what its content amounts to
}

// sealOf is the hash of a record's content: SHA-256 of its canonical JSON without the hash.
func sealOf(line []byte) (string, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(line, &members); err != nil {
		return "", err
	}
	delete(members, "hash")
	raw, err := json.Marshal(members)
	if err != nil {
		return "", err
	}
	canonical := jsontext.Value(raw)
	if err := canonical.Canonicalize(); err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

func (r *run) recountTrail(ctx context.Context, b *books) error {
	var trail []record
	err := r.http.lines(ctx, "/audit/export", func(line []byte) error {
		var one record
		if err := json.Unmarshal(line, &one); err != nil {
			return err
		}
		var err error
		if one.seal, err = sealOf(line); err != nil {
			return err
		}
		trail = append(trail, one)
		return nil
	})
	if err != nil {
		return err
	}
	adjustments, err := r.productEvents(ctx, "inventory.adjusted")
	if err != nil {
		return err
	}
	b.trail(r.shop.products, adjustments, trail)
	return nil
}

var genesis = strings.Repeat("0", 64)

// trail checks the chain from its beginning, and that it tells of every adjustment of the run's products, and of no other: by
// the recorded events, because in sums a lost record and an invented one make up for each other.
func (b *books) trail(products []*product, adjustments []productEvent, trail []record) {
	chain := b.rule("audit: the chain verifies")
	once := b.rule("audit: every adjustment stands in the trail once")
	previous, seen, changed := genesis, map[string]bool{}, map[string]int64{}
	for i, r := range trail {
		chain.check(r.Sequence == int64(i+1) && r.Previous == previous && r.Hash == r.seal, "record %d: sequence %d, or its hash or that before it, is not what it should be", i+1, r.Sequence)
		previous = r.Hash
		once.check(!seen[r.EventID], "event %s stands twice", r.EventID)
		seen[r.EventID] = true
		changed[r.Product] += r.New - r.Old
		b.deliveries[r.Reference] += r.New - r.Old
	}
	b.trailed = true
	recorded := map[string]bool{}
	for _, e := range adjustments {
		recorded[e.EventID] = true
		once.check(seen[e.EventID], "event %s, an adjustment of %s, stands nowhere", e.EventID, e.Data.ProductID)
	}
	own := map[string]bool{}
	for _, p := range products {
		own[p.id] = true
	}
	for _, r := range trail {
		once.check(!own[r.Product] || recorded[r.EventID], "record %d: event %s of %s was never recorded", r.Sequence, r.EventID, r.Product)
	}
	for _, p := range products {
		adjusted, known := b.adjusted[p.id]
		once.check(!known || changed[p.id] == adjusted, "%s: the trail adds up to %d, inventory says %d", p.id, changed[p.id], adjusted)
	}
}
