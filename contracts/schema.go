package contracts

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
)

const dialect = "https://json-schema.org/draft/2020-12/schema"

// Schema is a JSON Schema (2020-12) with our annotations, in the order in which it is written. A field that is not set is
// left out.
type Schema struct {
	Schema      string   `json:"$schema,omitzero"`
	ID          string   `json:"$id,omitzero"`
	Ref         string   `json:"$ref,omitzero"`
	Title       string   `json:"title,omitzero"`
	Description string   `json:"description,omitzero"`
	Deprecated  bool     `json:"deprecated,omitzero"`
	Contract    *Notes   `json:"x-contract,omitzero"`
	Beyond      []Beyond `json:"x-beyond-schema,omitzero"`

	Type       Types    `json:"type,omitzero"`
	Const      string   `json:"const,omitzero"`
	Enum       []string `json:"enum,omitzero"`
	Format     string   `json:"format,omitzero"`
	Pattern    string   `json:"pattern,omitzero"`
	MinLength  int      `json:"minLength,omitzero"`
	MaxLength  int      `json:"maxLength,omitzero"`
	Minimum    *int64   `json:"minimum,omitzero"`
	Maximum    *int64   `json:"maximum,omitzero"`
	Items      *Schema  `json:"items,omitzero"`
	MinItems   int      `json:"minItems,omitzero"`
	MaxItems   int      `json:"maxItems,omitzero"`
	Not        *Schema  `json:"not,omitzero"`
	AnyOf      []Schema `json:"anyOf,omitzero"`
	Properties Ordered  `json:"properties,omitzero"`
	Required   []string `json:"required,omitzero"`
	If         *Schema  `json:"if,omitzero"`
	Then       *Schema  `json:"then,omitzero"`
	Else       *Schema  `json:"else,omitzero"`
	Additional *Schema  `json:"additionalProperties,omitzero"`

	Class       string       `json:"x-classification,omitzero"`
	Vocabulary  []string     `json:"x-vocabulary,omitzero"` // what publishers send; consumers accept other words
	Deprecation *Deprecation `json:"x-deprecated,omitzero"`

	Defs     Ordered          `json:"$defs,omitzero"`
	Examples []jsontext.Value `json:"examples,omitzero"`
}

// Types are one or several JSON types; a single one is written without a list.
type Types []string

// MarshalJSONTo implements json.MarshalerTo.
func (t Types) MarshalJSONTo(enc *jsontext.Encoder) error {
	if len(t) == 1 {
		return enc.WriteToken(jsontext.String(t[0]))
	}
	return writeAll(enc, jsontext.BeginArray, jsontext.EndArray, len(t), func(i int) error { return enc.WriteToken(jsontext.String(t[i])) })
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *Types) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, (*[]string)(t))
	}
	*t = Types{""}
	return json.UnmarshalDecode(dec, &(*t)[0])
}

// Deprecation says since when, until when, and what to use.
type Deprecation struct {
	Since  string `json:"since"`
	Sunset string `json:"sunset"`
	Use    string `json:"use"`
}

// Notes are what the contract says beyond the form of its events.
type Notes struct {
	Type            string       `json:"type"`
	Version         string       `json:"version"`
	When            string       `json:"when_published"`
	Publisher       string       `json:"publisher"`
	Consumers       []string     `json:"consumers"`
	Topic           string       `json:"topic"`
	DeadLetterTopic string       `json:"dead_letter_topic"`
	Key             []string     `json:"key"` // fields of data; the first that is present orders the event
	Follows         []string     `json:"follows"`
	Retention       string       `json:"retention"`
	Addition        bool         `json:"addition"`         // not in the contract document
	Upcasts         bool         `json:"upcasts,omitzero"` // events of the major version before are upgraded
	Migration       string       `json:"migration,omitzero"`
	Deprecation     *Deprecation `json:"deprecated,omitzero"`
}

// NotesOf are a contract's notes.
func NotesOf(k events.Contract) *Notes {
	n := &Notes{
		Type: k.Type, Version: k.Version, When: k.When, Publisher: k.Publisher, Consumers: append([]string{}, k.Consumers...), Topic: k.Topic(), DeadLetterTopic: k.DeadLetterTopic(),
		Key: strings.Split(k.Key, "|"), Follows: append([]string{}, k.Follows...), Retention: "unlimited", Addition: k.Addition, Deprecation: deprecationOf(k.Deprecated), Migration: k.Migration,
	}
	if k.Retention != events.Unlimited {
		n.Retention = strconv.Itoa(int(k.Retention/events.Day)) + " days"
	}
	return n
}

func deprecationOf(d events.Deprecation) *Deprecation {
	if !d.Deprecated() {
		return nil
	}
	return &Deprecation{Since: d.Since, Sunset: d.Sunset, Use: d.Use}
}

// Beyond is a check of Go's that no schema states.
type Beyond struct {
	Code events.Code `json:"code"`
	What string      `json:"what"`
}

// beyondSchema lists the codes that are Go's alone: how the text is spelled, and how fields fit each other.
func beyondSchema() []Beyond {
	return []Beyond{
		{events.MalformedJSON, "text that is no JSON; a byte order mark; something after the end"},
		{events.DuplicateKey, "a key that stands twice in its object"},
		{events.InvalidUTF8, "text that is no UTF-8, lone surrogates"},
		{events.ControlChar, "a NUL character, anywhere"},
		{events.TooDeep, "more than 32 levels"},
		{events.TooLarge, "more than 256 KiB, or 10,000 keys"},
		{events.InvalidNumber, "an integer written as 2.0 or 2e3; NaN and Infinity"},
		{events.VersionConflict, "event_version and version (old dialect) that differ"},
		{events.InvalidValue, "inventory.updated: available_quantity must be quantity - reserved_quantity"},
	}
}
