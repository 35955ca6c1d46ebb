package events

import (
	"reflect"
	"strings"
	"sync"
	"time"
)

// Day is the unit of retention.
const Day = 24 * time.Hour

// Unlimited as a retention keeps events for ever.
const Unlimited time.Duration = 0

// Contract is what the world may rely on about one event type.
type Contract struct {
	Type      string        // domain.action
	Version   string        // MAJOR.MINOR
	Key       string        // field of data that orders events; "a|b" is the first that is present
	Publisher string        // source_service of the one service that publishes it
	Consumers []string      // services of the platform that hear it
	Follows   []string      // types of the same key that must have ended first, where a consumer hears both
	Retention time.Duration // how long recorded events are kept; Unlimited
	Purpose   string        // in the document's words
	When      string        // when it is published
	Addition  bool          // ours, not the contract document's

	Migration string // of a major version after the first: what publishers and consumers do, and until when

	Deprecated Deprecation // the whole event goes away with the next major version of what replaces it
}

// Major is the version that names the topic: 1 of "1.4".
func (c Contract) Major() string { return majorOf(c.Version) }

func majorOf(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// MajorPattern is the form of event_version within a major version: a consumer accepts every minor one.
func MajorPattern(major string) string { return `^` + major + `\.(0|[1-9][0-9]{0,5})$` }

// Topic is where the event is published: {source_service without -service}.{type}.v{major} (contract document, "Topic
// Naming Convention").
func (c Contract) Topic() string {
	return strings.TrimSuffix(c.Publisher, "-service") + "." + c.Type + ".v" + c.Major()
}

// DeadLetterTopic is where notices of its dead letters go.
func (c Contract) DeadLetterTopic() string { return c.Topic() + DeadLetterSuffix }

// DeadLetterSuffix ends the names of the topics of notices.
const DeadLetterSuffix = ".dlq"

// Payload is the data of one event type. Both methods have value receivers.
type Payload interface {
	// Contract is the same for every value of the type.
	Contract() Contract
	// Validate reports every field that breaks the contract as an *Invalid.
	Validate() error
}

// KeyOf gives the value that orders the payload's events.
func KeyOf(p Payload) string { return keyOf(p, p.Contract().Key) }

func keyOf(p Payload, key string) string {
	v := reflect.ValueOf(p)
	for _, index := range keyFields(v.Type(), key) {
		if key := v.Field(index).String(); key != "" {
			return key
		}
	}
	return ""
}

var keyIndex sync.Map // reflect.Type → []int: a cache of what the type says about itself

func keyFields(t reflect.Type, key string) []int {
	if known, ok := keyIndex.Load(t); ok {
		return known.([]int)
	}
	var fields []int
	for name := range strings.SplitSeq(key, "|") {
		for i := range t.NumField() {
			if jsonName(t.Field(i)) == name && t.Field(i).Type.Kind() == reflect.String {
				fields = append(fields, i)
			}
		}
	}
	keyIndex.Store(t, fields)
	return fields
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
