package events

import "embed"

//go:embed testdata/*.json
var examples embed.FS

// Examples are the contract document's examples of an event type, and ours of the additions.
func Examples(eventType string) [][]byte {
	raw, err := examples.ReadFile("testdata/" + eventType + ".json")
	if err != nil {
		return nil // another module's contract
	}
	return [][]byte{raw}
}
