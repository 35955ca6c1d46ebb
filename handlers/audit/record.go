package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/store"
)

// Record is one adjustment in the trail: what was changed, from what to what, why, and in which correlation.
type Record struct {
	Sequence        int64     `json:"sequence"`
	EventID         string    `json:"event_id"`
	SourceService   string    `json:"source_service"`
	CorrelationID   string    `json:"correlation_id"`
	CausationID     string    `json:"causation_id,omitzero"`
	OccurredAt      time.Time `json:"occurred_at"`
	RecordedAt      time.Time `json:"recorded_at"`
	ProductID       string    `json:"product_id"`
	LocationID      string    `json:"location_id,omitzero"`
	OldQuantity     int64     `json:"old_quantity"`
	NewQuantity     int64     `json:"new_quantity"`
	AdjustmentType  string    `json:"adjustment_type"`
	Reason          string    `json:"reason,omitzero"`
	ReferenceNumber string    `json:"reference_number,omitzero"`
	PreviousHash    string    `json:"previous_hash"`
	Hash            string    `json:"hash,omitzero"`
}

// Genesis is the previous_hash of the first record.
const Genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// Seal computes the record's hash: SHA-256, in hexadecimal, of the record without its hash as canonical JSON (RFC 8785), so
// that anybody can check a trail in any language.
func (r Record) Seal() (string, error) {
	r.Hash = ""
	raw, err := json.Marshal(r)
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

// Head names the last record of the trail. Whoever keeps one outside of the platform can prove later that nothing before it
// was rewritten or cut off.
type Head struct {
	Sequence int64  `json:"sequence"`
	Hash     string `json:"hash"`
}

// Head reads the trail's end.
func (s *Service) Head(ctx context.Context, r store.Reader) (Head, error) {
	head, found, err := store.One(ctx, r, func(s store.Scanner) (h Head, err error) {
		err = s.Scan(&h.Sequence, &h.Hash)
		return h, err
	}, "SELECT sequence, hash FROM head WHERE id = 1")
	if err == nil && !found {
		head = Head{Hash: Genesis}
	}
	return head, err
}

func moveHead(ctx context.Context, tx *store.Tx, to Head) error {
	_, err := tx.Exec(ctx, "INSERT INTO head (id, sequence, hash) VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash", to.Sequence, to.Hash)
	return err
}

const columns = "sequence, event_id, source, correlation, causation, occurred_at, recorded_at, product_id, location_id, old_quantity, new_quantity, kind, reason, reference, previous_hash, hash"

func insert(ctx context.Context, tx *store.Tx, r Record) error {
	_, err := tx.Exec(ctx, "INSERT INTO trail ("+columns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
		r.Sequence, r.EventID, r.SourceService, r.CorrelationID, r.CausationID, store.Micros(r.OccurredAt), store.Micros(r.RecordedAt),
		r.ProductID, r.LocationID, r.OldQuantity, r.NewQuantity, r.AdjustmentType, r.Reason, r.ReferenceNumber, r.PreviousHash, r.Hash)
	return err
}

func scan(s store.Scanner) (r Record, err error) {
	var occurred, recorded int64
	err = s.Scan(&r.Sequence, &r.EventID, &r.SourceService, &r.CorrelationID, &r.CausationID, &occurred, &recorded,
		&r.ProductID, &r.LocationID, &r.OldQuantity, &r.NewQuantity, &r.AdjustmentType, &r.Reason, &r.ReferenceNumber, &r.PreviousHash, &r.Hash)
	r.OccurredAt, r.RecordedAt = store.Time(occurred), store.Time(recorded)
	return r, err
}

// Filter chooses records. The zero value chooses all.
type Filter struct {
	ProductID, LocationID, AdjustmentType, ReferenceNumber, CorrelationID string
	Since, Until                                                          time.Time // of the adjustment; Until is excluded
	After                                                                 int64     // sequence
	Limit                                                                 int
}

// List reads records in the trail's order.
func (s *Service) List(ctx context.Context, r store.Reader, f Filter) ([]Record, error) {
	query, args := "SELECT "+columns+" FROM trail WHERE sequence > $1", []any{f.After}
	and := func(condition string, value any) {
		args = append(args, value)
		query += " AND " + condition + " $" + strconv.Itoa(len(args))
	}
	for _, equal := range []struct{ column, value string }{
		{"product_id", f.ProductID}, {"location_id", f.LocationID}, {"kind", f.AdjustmentType}, {"reference", f.ReferenceNumber}, {"correlation", f.CorrelationID},
	} {
		if equal.value != "" {
			and(equal.column+" =", equal.value)
		}
	}
	if !f.Since.IsZero() {
		and("occurred_at >=", store.Micros(f.Since))
	}
	if !f.Until.IsZero() {
		and("occurred_at <", store.Micros(f.Until))
	}
	query += " ORDER BY sequence LIMIT $" + strconv.Itoa(len(args)+1)
	return store.All(ctx, r, scan, query, append(args, f.Limit)...)
}
