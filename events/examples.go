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

// WithExamples gives a definition examples of its events, for the documents that are written from it.
func (d Definition) WithExamples(raw ...[]byte) Definition {
	d.examples = raw
	return d
}

// Examples are examples of this major version's events.
func (d *Definition) Examples() [][]byte {
	if len(d.examples) > 0 {
		return d.examples
	}
	if d.Contract.Major() != "1" {
		return Examples(d.Contract.Type + ".v" + d.Contract.Major())
	}
	return Examples(d.Contract.Type)
}
