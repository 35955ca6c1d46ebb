package audit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/audit"
)

func seal(t *testing.T, r audit.Record) audit.Record {
	t.Helper()
	var err error
	r.Hash, err = r.Seal()
	require.NoError(t, err)
	return r
}

// trail is a whole one of n records.
func trail(t *testing.T, n int64) []audit.Record {
	t.Helper()
	previous := audit.Genesis
	var all []audit.Record
	for i := range n {
		r := seal(t, audit.Record{
			Sequence: i + 1, EventID: fmt.Sprintf("event_%d", i+1), SourceService: events.InventoryService, CorrelationID: "c", OccurredAt: time.Unix(i, 0).UTC(), RecordedAt: time.Unix(i, 1000).UTC(),
			ProductID: "prod_1", OldQuantity: 100 - i, NewQuantity: 99 - i, AdjustmentType: events.AdjustmentDamage, PreviousHash: previous,
		})
		previous = r.Hash
		all = append(all, r)
	}
	return all
}

func headOf(all []audit.Record) audit.Head {
	last := all[len(all)-1]
	return audit.Head{Sequence: last.Sequence, Hash: last.Hash}
}

func check(all []audit.Record, head audit.Head, kept ...audit.Head) []string {
	var v audit.Verification
	for _, r := range all {
		v.Add(r)
	}
	found := []string{}
	for _, f := range v.Check(head, kept...) {
		found = append(found, fmt.Sprintf("%s %d %s", f.Kind, f.Sequence, f.EventID))
	}
	return found
}

// chain seals records anew from a place on, as somebody who rewrites history would.
func chain(t *testing.T, all []audit.Record, from int) {
	for i := from; i < len(all); i++ {
		all[i].Sequence = int64(i + 1)
		all[i].PreviousHash = audit.Genesis
		if i > 0 {
			all[i].PreviousHash = all[i-1].Hash
		}
		all[i] = seal(t, all[i])
	}
}

func TestVerifyNamesWhatWasTamperedWith(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(t *testing.T, all []audit.Record) []audit.Record
		want   []string
	}{
		"nothing": {func(_ *testing.T, all []audit.Record) []audit.Record { return all }, []string{}},
		"a quantity changed": {func(_ *testing.T, all []audit.Record) []audit.Record {
			all[4].NewQuantity = 1
			return all
		}, []string{"changed 5 event_5"}},
		"a reason added to the last record": {func(_ *testing.T, all []audit.Record) []audit.Record {
			all[9].Reason = "stolen"
			return all
		}, []string{"changed 10 event_10"}},
		"a record changed and sealed again": {func(t *testing.T, all []audit.Record) []audit.Record {
			all[4].NewQuantity = 1
			all[4] = seal(t, all[4])
			return all
		}, []string{"rewritten 5 "}},
		"the last record changed and sealed again": {func(t *testing.T, all []audit.Record) []audit.Record {
			all[9].NewQuantity = 1
			all[9] = seal(t, all[9])
			return all
		}, []string{"rewritten 10 "}},
		"the first record changed and sealed again": {func(t *testing.T, all []audit.Record) []audit.Record {
			all[0].NewQuantity = 1
			all[0] = seal(t, all[0])
			return all
		}, []string{"rewritten 1 "}},
		"a record removed": {func(_ *testing.T, all []audit.Record) []audit.Record {
			return slices.Delete(all, 4, 5)
		}, []string{"missing 5 "}},
		"two places with records removed": {func(_ *testing.T, all []audit.Record) []audit.Record {
			return slices.Delete(slices.Delete(all, 6, 8), 1, 2)
		}, []string{"missing 2 ", "missing 7 "}},
		"the first records removed": {func(_ *testing.T, all []audit.Record) []audit.Record {
			return all[2:]
		}, []string{"missing 1 "}},
		"the last records cut off": {func(_ *testing.T, all []audit.Record) []audit.Record {
			return all[:7]
		}, []string{"missing 8 "}},
		"everything removed": {func(*testing.T, []audit.Record) []audit.Record { return nil }, []string{"missing 1 "}},
		"a record removed and the others renumbered": {func(_ *testing.T, all []audit.Record) []audit.Record {
			all = slices.Delete(all, 4, 5)
			for i := 4; i < len(all); i++ {
				all[i].Sequence--
			}
			return all
		}, []string{"missing 5 ", "reordered 6 event_6"}},
		"a record inserted and the others renumbered": {func(t *testing.T, all []audit.Record) []audit.Record {
			forged := all[4]
			forged.EventID, forged.NewQuantity = "event_x", 1
			forged = seal(t, forged)
			for i := 4; i < len(all); i++ {
				all[i].Sequence++
			}
			return slices.Insert(all, 4, forged)
		}, []string{"reordered 5 event_5", "inserted 5 event_x"}},
		"a record inserted beside another": {func(t *testing.T, all []audit.Record) []audit.Record {
			forged := all[4]
			forged.EventID = "event_x"
			return slices.Insert(all, 4, seal(t, forged))
		}, []string{"inserted 5 event_x"}},
		"a record appended behind the head": {func(t *testing.T, all []audit.Record) []audit.Record {
			forged := all[9]
			forged.EventID, forged.Sequence, forged.PreviousHash = "event_x", 11, all[9].Hash
			return append(all, seal(t, forged))
		}, []string{"inserted 11 "}},
		"two records that changed places": {func(_ *testing.T, all []audit.Record) []audit.Record {
			all[3], all[4] = all[4], all[3]
			return all
		}, []string{"reordered 5 event_5"}},
		"two records that changed numbers": {func(_ *testing.T, all []audit.Record) []audit.Record {
			all[3], all[4] = all[4], all[3]
			all[3].Sequence, all[4].Sequence = 4, 5
			return all
		}, []string{"reordered 4 event_4", "reordered 5 event_5"}},
		"a record in the place of another": {func(_ *testing.T, all []audit.Record) []audit.Record {
			all[4] = all[2]
			return all
		}, []string{"missing 5 ", "inserted 3 event_3"}},
		"all changed and sealed again": {func(t *testing.T, all []audit.Record) []audit.Record {
			all[0].NewQuantity = 1
			chain(t, all, 0)
			return all
		}, []string{"rewritten 10 "}},
	} {
		t.Run(name, func(t *testing.T) {
			whole := trail(t, 10)
			require.ElementsMatch(t, c.want, check(c.tamper(t, slices.Clone(whole)), headOf(whole)))
		})
	}
}

// TestAHeadKeptElsewhereTellsARewrittenTrail is about somebody who may change the whole database, its head included.
func TestAHeadKeptElsewhereTellsARewrittenTrail(t *testing.T) {
	whole := trail(t, 10)
	early, kept := headOf(whole[:3]), headOf(whole)
	require.Empty(t, check(whole, kept, early, kept, audit.Head{}))
	cut := whole[:7]
	require.Empty(t, check(cut, headOf(cut), early))
	require.Equal(t, []string{"missing 8 "}, check(cut, headOf(cut), kept))

	forged := slices.Clone(whole)
	forged[4].NewQuantity = 1
	chain(t, forged, 4)
	require.Empty(t, check(forged, headOf(forged), early), "before what was rewritten")
	require.Equal(t, []string{"rewritten 10 "}, check(forged, headOf(forged), early, kept))
}

func TestThePublishersEventsTellARewrittenTrail(t *testing.T) {
	whole := trail(t, 3)
	for i := range whole {
		whole[i].EventID = uuid.NewString()
	}
	chain(t, whole, 0)
	var v audit.Verification
	for _, r := range whole {
		v.Add(r)
	}
	require.Empty(t, v.Check(headOf(whole)))
	event := func(r audit.Record) (events.Envelope, events.InventoryAdjusted) {
		return events.Envelope{EventID: uuid.MustParse(r.EventID), SourceService: r.SourceService, CorrelationID: r.CorrelationID},
			events.InventoryAdjusted{ProductID: r.ProductID, OldQuantity: r.OldQuantity, NewQuantity: r.NewQuantity, AdjustmentType: r.AdjustmentType}
	}
	_, wrong := v.Compare(event(whole[1]))
	require.False(t, wrong)
	other := whole[1]
	other.NewQuantity++
	f, wrong := v.Compare(event(other))
	require.True(t, wrong)
	require.Equal(t, audit.Rewritten, f.Kind)
	other.EventID = uuid.NewString()
	f, wrong = v.Compare(event(other))
	require.True(t, wrong)
	require.Equal(t, audit.Missing, f.Kind)
}

// TestASealIsWhatOthersCompute pins the recipe: SHA-256 of the canonical JSON without the hash.
func TestASealIsWhatOthersCompute(t *testing.T) {
	r := audit.Record{
		Sequence: 1, EventID: "550e8400-e29b-41d4-a716-446655440009", SourceService: "inventory-management-service", CorrelationID: "adjustment_1",
		OccurredAt: time.Date(2024, 1, 15, 11, 20, 0, 0, time.UTC), RecordedAt: time.Date(2024, 1, 15, 11, 20, 1, 500_000_000, time.UTC),
		ProductID: "prod_1", LocationID: "warehouse_main", OldQuantity: 100, NewQuantity: 95, AdjustmentType: "damage", Reason: "fünf \"Stück\"", PreviousHash: audit.Genesis, Hash: "is left out",
	}
	seal, err := r.Seal()
	require.NoError(t, err)
	require.Equal(t, "2f9b5e26d559efe4da905f2d38ea6403f3622a176614bcb7cbdbac06762b8f0d", seal)
}
