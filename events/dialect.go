package events

import "slices"

// The old dialect: the document's inventory examples, and the running services, write version for event_version and the
// event's class name for its type.
//
// It is upgraded like an older major version, but as step zero, in the bytes. An Upcast makes typed data of typed data, after
// the contract is known; the dialect differs in the envelope alone, and in the two members that say which contract it is. The
// bytes that come out are what is stored, digested and passed on, with every unknown field: through Go values they would be
// lost, and the same event in both dialects would have two digests.
var legacyTypes = map[string]string{
	"InventoryReserved": "inventory.reserved",
	"InventoryReleased": "inventory.released",
	"InventoryAdjusted": "inventory.adjusted",
	"LowStockAlert":     "inventory.low_stock_alert",
	"InventoryUpdated":  "inventory.updated",
}

// LegacyName is the old dialect's name of an event type, "" if it has none.
func LegacyName(eventType string) string {
	for old, name := range legacyTypes {
		if name == eventType {
			return old
		}
	}
	return ""
}

// edit replaces a stretch of the raw message.
type edit struct {
	start, end int32
	text       string
}

// CanonicalType is an event type's name in our dialect.
func CanonicalType(name string) string {
	if known, legacy := legacyTypes[name]; legacy {
		return known
	}
	return name
}

// normalise rewrites the old dialect in the raw bytes, so that unknown fields stay as they came. Canonical input is returned
// as it is.
func (m *message) normalise() ([]byte, bool, *Invalid) {
	var edits []edit
	old, current := m.find("version"), m.find("event_version")
	if old != nil && current != nil && string(m.value(old)) != string(m.value(current)) {
		return nil, false, invalid("/version", VersionConflict, "version is %s, but event_version is %s", clip(string(m.value(old))), clip(string(m.value(current))))
	}
	if old != nil && current == nil {
		edits = append(edits, edit{old.nameAt, old.nameEnd, `"event_version"`})
		old.name, old.old = "event_version", true
	}
	if one := m.find("event_type"); one != nil && one.kind == '"' {
		if name, legacy := legacyTypes[one.text]; legacy {
			edits = append(edits, edit{one.valueStart, one.valueEnd, `"` + name + `"`})
			one.text = name
		}
	}
	if len(edits) == 0 {
		return m.raw, false, nil
	}
	slices.SortFunc(edits, func(a, b edit) int { return int(a.start - b.start) })
	rewritten := make([]byte, 0, len(m.raw)+32)
	at := int32(0)
	for _, e := range edits {
		rewritten = append(append(rewritten, m.raw[at:e.start]...), e.text...)
		at = e.end
	}
	rewritten = append(rewritten, m.raw[at:]...)
	if len(rewritten) > MaxSize {
		return nil, false, invalid("", TooLarge, "the message has %d bytes in the canonical form, at most %d are allowed", len(rewritten), MaxSize)
	}
	return rewritten, true, nil
}
