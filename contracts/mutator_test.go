package contracts_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/first-viscount/viscount/events"
)

// mutator makes documents from the examples: some stay valid, some do not. The same seed makes the same documents.
type mutator struct {
	*rand.Rand
	examples [][]byte
}

func newMutator(seed uint64) *mutator {
	m := &mutator{Rand: rand.New(rand.NewPCG(seed, 0x5eed))}
	for _, d := range events.Platform().All() {
		m.examples = append(m.examples, events.Examples(d.Contract.Type)...)
	}
	return m
}

// next is an example with one to four changes: most of them mild, some of its text.
func (m *mutator) next() []byte {
	document := parse(m.examples[m.IntN(len(m.examples))])
	for range 1 + m.IntN(4) {
		m.change(document, m.IntN(4) > 0)
	}
	raw, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	if m.IntN(25) == 0 {
		raw = m.spell(raw)
	}
	return raw
}

func parse(raw []byte) map[string]any {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var document map[string]any
	if err := dec.Decode(&document); err != nil {
		panic(err)
	}
	return document
}

// change changes one member or element, anywhere; a mild change keeps what the value looks like.
func (m *mutator) change(node any, mild bool) {
	switch node := node.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(node))
		if len(names) == 0 || m.IntN(12) == 0 {
			node[pick(m, []string{"vendor", "version", "event_version", "order_id", "location_id", "shelf life", "é"})] = m.value(mild)
			return
		}
		name := pick(m, names)
		if inner(node[name]) && m.IntN(5) > 0 {
			m.change(node[name], mild)
			return
		}
		switch {
		case mild:
			node[name] = m.like(name, node[name])
		case m.IntN(4) == 0:
			delete(node, name)
		default:
			node[name] = m.unlike(name, node[name])
		}
	case []any:
		if len(node) == 0 {
			return
		}
		i := m.IntN(len(node))
		if inner(node[i]) && m.IntN(6) > 0 {
			m.change(node[i], mild)
		} else if !mild {
			node[i] = m.value(false)
		}
	}
}

func inner(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

var (
	moneyLike = regexp.MustCompile(`^[0-9.]+$`)
	timeLike  = regexp.MustCompile(`^\d{4}-\d\d-\d\dT`)
)

// like is another value of the same look; where the look says little, mostly a valid one.
func (m *mutator) like(name string, v any) any {
	switch v := v.(type) {
	case json.Number:
		return json.Number(pick(m, []string{"1", "2", "7", "150", "9007199254740992", "0"}))
	case bool:
		return !v
	case string:
		switch {
		case name == "event_version" || name == "version":
			return pick(m, []string{"1.0", "1.1", "1.17", "1.999999"})
		case name == "event_type" || name == "source_service":
			return v
		case name == "event_id":
			return pick(m, []string{"550E8400-E29B-41D4-A716-446655440015", "01a20ab4-1392-73da-bd07-3c44ac51dfde"})
		case name == "currency":
			return pick(m, []string{"EUR", "GBP"})
		case moneyLike.MatchString(v) && name != "zip":
			return pick(m, goodMoney)
		case timeLike.MatchString(v):
			return pick(m, goodTimes)
		}
		return pick(m, goodTexts)
	case map[string]any, []any:
		return v
	}
	return v
}

var (
	goodMoney = []string{"0", "12", "12.5", "12.50", "007.1", "9999999999999.99", "0.01"}
	goodTimes = []string{"2024-02-29T23:59:59Z", "2000-02-29T00:00:00Z", "2024-01-15T12:00:00+00:00", "1000-01-01T00:00:00.5Z", "9999-12-31T23:59:59.123456789123Z"}
	goodTexts = []string{"x", "ordre_été_1", "注文", "😀", "a b", strings.Repeat("é", 128), "restock", "null", `q"uote\`, "-"}
	badMoney  = []string{"12.345", "-1", "+1", "1e3", ".5", "1.", "12,5", "", "10000000000000", "99999999999999999999", "0x1", "1_000", "１２"}
	badTimes  = []string{
		"2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-15T24:00:00Z", "2024-01-15T12:00:60Z", "2024-01-15T12:60:00Z", "2024-04-31T00:00:00Z",
		"2024-01-15T12:00:00", "2024-01-15T12:00:00+02:00", "2024-01-15T12:00:00-00:00", "2024-01-15t12:00:00z", "2024-1-5T1:00:00Z", "0999-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
		"2024-01-15T12:00:00,5Z", "2024-01-15T12:00:00.Z", "", "12024-01-15T12:00:00Z", "2024-01-15 12:00:00Z",
	}
	badTexts = []string{"", "", strings.Repeat("x", 129), "tab\there", "zero\u200bwidth", "nbsp\u00a0", "line\u2028", "\ue000", "\U000e0001", "\ufeff"}
	badHeads = []string{
		"2.0", "1", "1.0.0", "01.0", "1.01", "1.1000000", "1.-1", "order.created", "OrderCreated", "InventoryReserved", "payment-service", "order-management-service", "Order_Service", "", "x--y",
		"00000000-0000-0000-0000-000000000000", "{550e8400-e29b-41d4-a716-446655440015}", "550e8400e29b41d4a716446655440015", "urn:uuid:550e8400-e29b-41d4-a716-446655440015", "550e8400-e29b-41d4-a716-44665544001g",
	}
	numbers = []string{"0", "-0", "1", "-1", "1.5", "2.0", "2e3", "1E-2", "0.0", "9007199254740992", "9007199254740993", "-9007199254740993", "123456789012345678901234567890", "1e30"}
)

// value is anything.
func (m *mutator) value(mild bool) any {
	if mild {
		return pick(m, []any{"1.0", "x", json.Number("1"), true, map[string]any{"a": "b"}, []any{"c"}})
	}
	switch m.IntN(9) {
	case 0:
		return nil
	case 1:
		return m.IntN(2) == 0
	case 2:
		return []any{}
	case 3:
		return map[string]any{}
	case 4:
		return []any{map[string]any{"product_id": "p"}, "x", nil}
	case 5:
		return json.Number(pick(m, numbers))
	case 6:
		return pick(m, slices.Concat(goodMoney, goodTimes, goodTexts))
	}
	return pick(m, slices.Concat(badMoney, badTimes, badTexts, badHeads))
}

// unlike is a value that a field of this look should not have; now and then, anything.
func (m *mutator) unlike(name string, v any) any {
	text, isText := v.(string)
	_, isNumber := v.(json.Number)
	switch {
	case m.IntN(4) == 0:
		return m.value(false)
	case isNumber:
		return json.Number(pick(m, numbers))
	case !isText:
		return m.value(false)
	case slices.Contains([]string{"event_id", "event_version", "version", "event_type", "source_service"}, name):
		return pick(m, badHeads)
	case name == "currency":
		return pick(m, []string{"usd", "EURO", "", "U D"})
	case moneyLike.MatchString(text) && name != "zip":
		return pick(m, badMoney)
	case timeLike.MatchString(text):
		return pick(m, badTimes)
	}
	return pick(m, badTexts)
}

// spell changes the text: what JSON's grammar, UTF-8 or a limit forbids, and white space, which it does not.
func (m *mutator) spell(raw []byte) []byte {
	at := m.IntN(len(raw))
	switch m.IntN(6) {
	case 0:
		return slices.Concat([]byte("\n\t "), raw, []byte(" \n"))
	case 1:
		return raw[:at]
	case 2:
		return slices.Concat(raw[:at], []byte{byte(m.IntN(256))}, raw[at:])
	case 3:
		return slices.Concat(raw[:at], raw[min(at+1, len(raw)):])
	case 4:
		return slices.Concat([]byte(`{"data":null,`), raw[1:])
	}
	return slices.Concat(raw[:len(raw)-1], []byte(`,"deep":`), []byte(strings.Repeat("[", 40)), []byte(strings.Repeat("]", 40)), []byte("}"))
}

func pick[T any](m *mutator, list []T) T { return list[m.IntN(len(list))] }
