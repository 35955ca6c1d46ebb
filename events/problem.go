package events

import (
	"fmt"
	"strings"
)

// Codes say which kind of rule an event breaks. They are part of the public interface: programs match on them.
const (
	CodeMalformedJSON      = "malformed_json"      // not one JSON document: empty, truncated, trailing bytes, a byte order mark
	CodeNotObject          = "not_object"          // JSON, but not an object
	CodeDuplicateKey       = "duplicate_key"       // an object has one key twice
	CodeMissingField       = "missing_field"       // a required field is absent, null, or written in another case
	CodeInvalidUTF8        = "invalid_utf8"        // bytes that are not UTF-8, or half a surrogate pair
	CodeControlChar        = "control_char"        // NUL, or an unescaped control character
	CodeInvalidNumber      = "invalid_number"      // NaN, infinity, a fraction or exponent where an integer stands
	CodeOutOfRange         = "out_of_range"        // an integer beyond 2^53, which not every reader holds exactly
	CodeTooDeep            = "too_deep"            // nested more than MaxDepth levels
	CodeTooLarge           = "too_large"           // more than MaxSize bytes or MaxKeys keys
	CodeInvalidEventID     = "invalid_event_id"    // event_id is not a UUID
	CodeVersionConflict    = "version_conflict"    // version and event_version both stand and differ
	CodeUnsupportedVersion = "unsupported_version" // another major version than the contract's
	CodeUnknownType        = "unknown_type"        // no contract for this event_type
	CodeWrongPublisher     = "wrong_publisher"     // source_service is not the contract's publisher
	CodeInvalidTimestamp   = "invalid_timestamp"   // not ISO 8601, without a zone, or in a zone other than UTC
	CodeInvalidMoney       = "invalid_money"       // not a decimal string of at most two decimals
	CodeInvalidValue       = "invalid_value"       // the right type, but not a value that the contract allows
	CodeWrongType          = "wrong_type"          // a string for an integer, an object for a list, …
)

// Codes lists every code that Decode and Encode can give.
func Codes() []string {
	return []string{
		CodeMalformedJSON, CodeNotObject, CodeDuplicateKey, CodeMissingField, CodeInvalidUTF8, CodeControlChar,
		CodeInvalidNumber, CodeOutOfRange, CodeTooDeep, CodeTooLarge, CodeInvalidEventID, CodeVersionConflict,
		CodeUnsupportedVersion, CodeUnknownType, CodeWrongPublisher, CodeInvalidTimestamp, CodeInvalidMoney,
		CodeInvalidValue, CodeWrongType,
	}
}

// Problem is one rule that an event breaks.
type Problem struct {
	Path   string // JSON Pointer from the event's root, such as /data/items/0/quantity; empty for the whole event
	Code   string // one of the Code constants
	Detail string // what is wrong and what to write instead

	// vocabulary marks a value outside a closed vocabulary: a publisher may not send it, a consumer accepts it.
	vocabulary bool
}

func (p Problem) String() string {
	if p.Path == "" {
		return fmt.Sprintf("%s (%s)", p.Detail, p.Code)
	}
	return fmt.Sprintf("%s: %s (%s)", p.Path, p.Detail, p.Code)
}

// Invalid is the error for an event that breaks its contract. It has at least one problem.
type Invalid struct {
	Problems []Problem
}

// Code is the code of the first problem.
func (e *Invalid) Code() string {
	if len(e.Problems) == 0 {
		return ""
	}
	return e.Problems[0].Code
}

func (e *Invalid) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	return "invalid event: " + strings.Join(texts, "; ")
}

func invalid(path, code, detail string) *Invalid {
	return &Invalid{Problems: []Problem{{Path: path, Code: code, Detail: detail}}}
}
