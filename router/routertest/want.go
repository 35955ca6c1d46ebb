package routertest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Emitted gives the events of one type that the last action (Receive, Do, Advance) emitted, in order.
func Emitted[P events.Payload](k *Kit) []P {
	k.t.Helper()
	var found []P
	for _, d := range k.emitted() {
		if p, ok := d.Payload.(P); ok {
			found = append(found, p)
		}
	}
	return found
}

func (k *Kit) emitted() (all []*events.Decoded) {
	k.t.Helper()
	k.View(func(ctx context.Context, r store.Reader) error {
		rows, err := store.Recorded(ctx, r, k.mark, 10_000)
		for _, row := range rows {
			d, err := k.store.Catalogue().Decode(row.Payload)
			if err != nil {
				return fmt.Errorf("an emitted event breaks its contract: %w", err)
			}
			all = append(all, d)
		}
		return err
	})
	return all
}

// WantEmitted says that the last action emitted these events, among others. Fields that are zero in want are not compared, so
// that generated ids can be left out.
func (k *Kit) WantEmitted(want ...events.Payload) {
	k.t.Helper()
	rest := k.emitted()
	for _, w := range want {
		i := slices.IndexFunc(rest, func(d *events.Decoded) bool { return matches(reflect.ValueOf(w), reflect.ValueOf(d.Payload)) })
		if i < 0 {
			k.t.Errorf("not emitted: %s %s\nemitted:%s", w.Contract().Type, text(w), list(rest))
			continue
		}
		rest = slices.Delete(rest, i, i+1)
	}
}

// WantOnly is WantEmitted, and nothing else was emitted.
func (k *Kit) WantOnly(want ...events.Payload) {
	k.t.Helper()
	k.WantEmitted(want...)
	if all := k.emitted(); len(all) != len(want) {
		k.t.Errorf("%d events were emitted, wanted %d:%s", len(all), len(want), list(all))
	}
}

// matches compares what is not zero in want.
func matches(want, got reflect.Value) bool {
	if want.Type() != got.Type() {
		return false
	}
	switch {
	case want.IsZero():
		return true
	case want.Kind() == reflect.Pointer:
		return !got.IsNil() && matches(want.Elem(), got.Elem())
	case want.Kind() == reflect.Slice && want.Type().Elem().Kind() == reflect.Struct:
		if want.Len() != got.Len() {
			return false
		}
		for i := range want.Len() {
			if !matches(want.Index(i), got.Index(i)) {
				return false
			}
		}
		return true
	case plainStruct(want.Type()):
		for i := range want.NumField() {
			if !matches(want.Field(i), got.Field(i)) {
				return false
			}
		}
		return true
	}
	return equal(want, got)
}

// plainStruct tells whether a type is compared field by field: one that hides nothing and has no equality of its own, as a time.
func plainStruct(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	if _, own := t.MethodByName("Equal"); own {
		return false
	}
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return false
		}
	}
	return true
}

// equal compares times by their instant, everything else by value.
func equal(want, got reflect.Value) bool {
	if method := want.MethodByName("Equal"); method.IsValid() && method.Type().NumIn() == 1 && method.Type().In(0) == want.Type() {
		return method.Call([]reflect.Value{got})[0].Bool()
	}
	return reflect.DeepEqual(want.Interface(), got.Interface())
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(raw)
}

func list(all []*events.Decoded) string {
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "\n  %s %s", d.Envelope.EventType, text(d.Payload))
	}
	if b.Len() == 0 {
		return " nothing"
	}
	return b.String()
}

// standing is how an event that was received stands.
func (k *Kit) standing(id uuid.UUID) (state store.State, reason string) {
	k.t.Helper()
	k.View(func(ctx context.Context, r store.Reader) error {
		found, err := store.Deliveries(ctx, r, []uuid.UUID{id})
		state, reason = found[id].State, found[id].Reason
		return err
	})
	return state, reason
}

func (k *Kit) want(state store.State, reason string) {
	k.t.Helper()
	got, why := k.standing(k.last.id)
	if got != state || reason != "" && why != reason {
		k.t.Errorf("the event is %s (%s), wanted %s (%s)", got, why, state, reason)
	}
}

// WantApplied says that the last event was applied.
func (k *Kit) WantApplied() { k.t.Helper(); k.want(store.Applied, "") }

// WantIgnored says that the last event ended without effect, for this reason.
func (k *Kit) WantIgnored(reason string) { k.t.Helper(); k.want(store.Ignored, reason) }

// WantWaiting says that the last event waits: for its predecessor, or behind its key.
func (k *Kit) WantWaiting() { k.t.Helper(); k.want(store.Waiting, "") }

// WantDeadLetter says that the last event is a dead letter with this code.
func (k *Kit) WantDeadLetter(code string) {
	k.t.Helper()
	var codes []string
	k.View(func(ctx context.Context, r store.Reader) error {
		letters, err := store.DeadLetters(ctx, r, k.last.id)
		for _, l := range letters {
			codes = append(codes, l.Code+" ("+l.Detail+")")
			if l.Code == code {
				return err
			}
		}
		if err == nil {
			k.t.Errorf("the event is no dead letter with code %s; it has %v", code, codes)
		}
		return err
	})
}

// dump reads every table, as text by table, so that two of them can be compared.
func (k *Kit) dump() map[string][]string {
	k.t.Helper()
	tables := map[string][]string{}
	k.View(func(ctx context.Context, r store.Reader) error {
		names, err := k.store.Tables(ctx, r)
		if err != nil {
			return err
		}
		for _, name := range names {
			if name == "counters" {
				continue
			}
			if tables[name], err = rowsOf(ctx, r, name); err != nil {
				return err
			}
			slices.Sort(tables[name])
		}
		return nil
	})
	return tables
}

func rowsOf(ctx context.Context, r store.Reader, table string) (lines []string, err error) {
	rows, err := r.Query(ctx, "SELECT * FROM "+table)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		var b strings.Builder
		for i, v := range values {
			fmt.Fprintf(&b, "%s=%v ", columns[i], *v.(*any))
		}
		lines = append(lines, b.String())
	}
	slices.Sort(lines)
	return lines, rows.Err()
}

func (k *Kit) wantSame(before, after map[string][]string) {
	k.t.Helper()
	for table := range after {
		for _, line := range after[table] {
			if !slices.Contains(before[table], line) {
				k.t.Errorf("received again, it made a difference in %s: %s", table, line)
			}
		}
		if len(before[table]) > len(after[table]) {
			k.t.Errorf("received again, it removed rows of %s", table)
		}
	}
}
