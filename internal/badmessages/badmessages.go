// Package badmessages lists messages that break their contract, one way each, for the tests of everything that must refuse
// them: the decoder, the consumer's chain, the API.
//
// It imports no other folder.
package badmessages

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Message is a message and what is wrong with it.
type Message struct {
	Name string
	Type string // the event type whose topic it is sent to
	Raw  []byte
	Code string
	Path string // JSON Pointer
}

const (
	created = "order.created"
	updated = "inventory.updated"
)

// All makes the messages from the examples of the contracts in a folder (events/testdata).
func All(examples string) ([]Message, error) {
	var failed error
	edit := func(name, eventType, old, with, code, path string) Message {
		example, err := os.ReadFile(filepath.Join(examples, eventType+".json"))
		if err == nil && !bytes.Contains(example, []byte(old)) {
			err = fmt.Errorf("%s: the example has no %s", name, old)
		}
		failed = errors.Join(failed, err)
		return Message{Name: name, Type: eventType, Raw: bytes.Replace(example, []byte(old), []byte(with), 1), Code: code, Path: path}
	}
	raw := func(name, text, code, path string) Message {
		return Message{Name: name, Type: created, Raw: []byte(text), Code: code, Path: path}
	}
	return slices.Concat(broken(edit, raw), against(edit)), failed
}

type (
	editing func(name, eventType, old, with, code, path string) Message
	writing func(name, text, code, path string) Message
)

func nested(levels int) string {
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

// broken are messages that are no JSON of the platform's kind.
func broken(edit editing, raw writing) []Message {
	return []Message{
		raw("empty", "", "malformed_json", ""),
		raw("truncated", `{"event_id":"x"`, "malformed_json", ""),
		edit("trailing bytes", created, "\n}\n", "\n} 1", "malformed_json", ""),
		raw("byte order mark", "\xef\xbb\xbf{}", "malformed_json", ""),
		raw("null", "null", "not_object", ""),
		raw("array", "[]", "not_object", ""),
		edit("duplicate key", created, `"order_id": "order_987654321",`, `"order_id": "a", "order_id": "b",`, "duplicate_key", "/data/order_id"),
		edit("invalid UTF-8", created, "Anytown", "Any\xfftown", "invalid_utf8", ""),
		edit("lone surrogate", created, "Anytown", `\ud800`, "invalid_utf8", "/data/shipping_address/city"),
		edit("NUL", created, "Anytown", `\u0000`, "control_char", ""),
		edit("too deep", created, `"status"`, `"deep":`+nested(31)+`,"status"`, "too_deep", ""),
		edit("too large", created, "Anytown", strings.Repeat("x", 256<<10), "too_large", ""),
		edit("too many keys", created, `"status"`, `"many":[`+strings.TrimSuffix(strings.Repeat(`{"a":1},`, 10_001), ",")+`],"status"`, "too_large", ""),
		edit("a second object", created, "\n}\n", "\n}{}", "malformed_json", ""),
		raw("white space", " \n", "malformed_json", ""),
		raw("text", `"order.created"`, "not_object", ""),
		edit("duplicate key of the envelope", created, `"event_version": "1.0",`, `"event_version": "1.0", "event_version": "1.0",`, "duplicate_key", "/event_version"),
		edit("duplicate key in an unknown field", created, `"status"`, `"extra":{"a":1,"a":2},"status"`, "duplicate_key", "/data/extra/a"),
		edit("lone surrogate in an unknown field", created, `"status"`, `"extra":"\udc00","status"`, "invalid_utf8", "/data/extra"),
		edit("NUL byte", created, "Anytown", "Any\x00town", "control_char", ""),
	}
}

// against are objects that break the envelope's rules or the contract's.
func against(edit editing) []Message {
	return []Message{
		edit("missing event_id", created, `"event_id"`, `"id"`, "missing_field", "/event_id"),
		edit("other case", created, `"customer_id"`, `"customerId"`, "missing_field", "/data/customer_id"),
		edit("null required", created, `"cust_123456789"`, `null`, "missing_field", "/data/customer_id"),
		edit("NaN", created, `"quantity": 2`, `"quantity": NaN`, "invalid_number", "/data/items/0/quantity"),
		edit("nil UUID", created, "550e8400-e29b-41d4-a716-446655440015", "00000000-0000-0000-0000-000000000000", "invalid_event_id", "/event_id"),
		edit("loose time", created, "2024-01-15T12:00:00Z", "2024-01-15T1:00:00Z", "invalid_timestamp", "/timestamp"),
		edit("comma in a time", created, "2024-01-15T12:00:00Z", "2024-01-15T12:00:00,5Z", "invalid_timestamp", "/timestamp"),
		edit("huge number", created, `"quantity": 2`, `"quantity": 1e999`, "invalid_number", "/data/items/0/quantity"),
		edit("fraction", created, `"quantity": 2`, `"quantity": 1.5`, "invalid_number", "/data/items/0/quantity"),
		edit("over 2^53", created, `"quantity": 2`, `"quantity": 9007199254740993`, "out_of_range", "/data/items/0/quantity"),
		edit("zero quantity", created, `"quantity": 2`, `"quantity": 0`, "invalid_value", "/data/items/0/quantity"),
		edit("string for number", created, `"quantity": 2`, `"quantity": "2"`, "wrong_type", "/data/items/0/quantity"),
		edit("object for list", created, `"items": [`, `"items": {}, "other": [`, "wrong_type", "/data/items"),
		edit("number for price", created, `"47.98"`, `47.98`, "wrong_type", "/data/total_amount"),
		edit("three decimals", created, `"47.98"`, `"47.981"`, "invalid_money", "/data/total_amount"),
		edit("negative price", created, `"47.98"`, `"-47.98"`, "invalid_money", "/data/total_amount"),
		edit("no UUID", created, "550e8400-e29b-41d4-a716-446655440015", "42", "invalid_event_id", "/event_id"),
		edit("two versions", created, `"event_version": "1.0"`, `"event_version": "1.0", "version": "1.1"`, "version_conflict", "/version"),
		edit("major 2", created, `"event_version": "1.0"`, `"event_version": "2.0"`, "unsupported_version", "/event_version"),
		edit("unknown type", created, `"order.created"`, `"order.exploded"`, "unknown_type", "/event_type"),
		edit("wrong publisher", created, "order-management-service", "payment-service", "wrong_publisher", "/source_service"),
		edit("no zone", created, "2024-01-15T12:00:00Z", "2024-01-15T12:00:00", "invalid_timestamp", "/timestamp"),
		edit("another zone", created, "2024-01-15T12:00:00Z", "2024-01-15T12:00:00+02:00", "invalid_timestamp", "/timestamp"),
		edit("available wrong", updated, "145", "144", "invalid_value", "/data/available_quantity"),
		edit("attributes no object", "product.created", `"attributes": {`, `"attributes": [], "other": {`, "wrong_type", "/data/attributes"),
		edit("no data", created, `"data"`, `"Data"`, "missing_field", "/data"),
		edit("Infinity", created, `"quantity": 2`, `"quantity": -Infinity`, "invalid_number", "/data/items/0/quantity"),
		edit("negative quantity", created, `"quantity": 2`, `"quantity": -2`, "invalid_value", "/data/items/0/quantity"),
		edit("exponent in a price", created, `"47.98"`, `"4.798e1"`, "invalid_money", "/data/total_amount"),
		edit("zone without a name", created, "2024-01-15T12:00:00Z", "2024-01-15T12:00:00-00:00", "invalid_timestamp", "/timestamp"),
		edit("an object for a text", created, `"cust_123456789"`, `{}`, "wrong_type", "/data/customer_id"),
	}
}
