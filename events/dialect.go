package events

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// The old dialect: the document's inventory examples, and the running services, write version for event_version and the
// event's class name for its type.
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
	start, end int
	text       string
}

// normalise rewrites the old dialect in the raw bytes, so that unknown fields stay as they came. Canonical input is returned
// as it is.
func normalise(raw []byte, members map[string]member) ([]byte, map[string]member, bool, *Invalid) {
	var edits []edit
	old, hasOld := members["version"]
	current, hasCurrent := members["event_version"]
	if hasOld && hasCurrent && string(old.value) != string(current.value) {
		return nil, nil, false, invalid("/version", VersionConflict, "version is %s, but event_version is %s", clip(string(old.value)), clip(string(current.value)))
	}
	if hasOld && !hasCurrent {
		edits = append(edits, edit{old.nameAt, old.nameEnd, `"event_version"`})
	}
	if m, ok := members["event_type"]; ok && m.value.Kind() == '"' {
		plain, err := jsontext.AppendUnquote(nil, m.value)
		if name, legacy := legacyTypes[string(plain)]; legacy && err == nil {
			edits = append(edits, edit{m.valueStart, m.valueEnd, `"` + name + `"`})
		}
	}
	if len(edits) == 0 {
		return raw, members, false, nil
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	rewritten := make([]byte, 0, len(raw)+32)
	at := 0
	for _, e := range edits {
		rewritten = append(append(rewritten, raw[at:e.start]...), e.text...)
		at = e.end
	}
	rewritten = append(rewritten, raw[at:]...)
	members, bad := split(rewritten)
	if m, known := members["event_version"]; known {
		m.old = hasOld && !hasCurrent
		members["event_version"] = m
	}
	return rewritten, members, true, bad
}
