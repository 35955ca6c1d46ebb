package events

import (
	"fmt"
	"strings"
)

// Code names a way in which a message breaks its contract.
type Code string

// The codes of invalid messages.
const (
	MalformedJSON      Code = "malformed_json"
	NotObject          Code = "not_object"
	DuplicateKey       Code = "duplicate_key"
	MissingField       Code = "missing_field"
	InvalidUTF8        Code = "invalid_utf8"
	ControlChar        Code = "control_char"
	InvalidNumber      Code = "invalid_number"
	OutOfRange         Code = "out_of_range"
	TooDeep            Code = "too_deep"
	TooLarge           Code = "too_large"
	InvalidEventID     Code = "invalid_event_id"
	VersionConflict    Code = "version_conflict"
	UnsupportedVersion Code = "unsupported_version"
	UnknownType        Code = "unknown_type"
	WrongPublisher     Code = "wrong_publisher"
	InvalidTimestamp   Code = "invalid_timestamp"
	InvalidMoney       Code = "invalid_money"
	InvalidValue       Code = "invalid_value"
	WrongType          Code = "wrong_type"
)

// Codes are all of them.
func Codes() []Code {
	return []Code{
		MalformedJSON, NotObject, DuplicateKey, MissingField, InvalidUTF8, ControlChar, InvalidNumber, OutOfRange, TooDeep, TooLarge,
		InvalidEventID, VersionConflict, UnsupportedVersion, UnknownType, WrongPublisher, InvalidTimestamp, InvalidMoney, InvalidValue, WrongType,
	}
}

// Problem is one broken rule.
type Problem struct {
	Path   string `json:"path"` // JSON Pointer (RFC 6901)
	Code   Code   `json:"code"`
	Detail string `json:"detail"`

	closed bool // a vocabulary: binds publishers only
	ours   bool // beyond a schema: how the text is spelled, or how fields fit each other
}

// Across is a problem between fields, which no schema states.
func Across(path string, code Code, format string, args ...any) Problem {
	return Problem{Path: path, Code: code, Detail: fmt.Sprintf(format, args...), ours: true}
}

// BeyondSchema tells whether the problem is one that no schema states: how the text is spelled, or how fields fit each other.
func (p Problem) BeyondSchema() bool {
	switch p.Code {
	case MalformedJSON, DuplicateKey, InvalidUTF8, ControlChar, TooDeep, TooLarge, VersionConflict:
		return true
	}
	return p.ours
}

// Invalid is a message or payload that breaks its contract, with every problem found.
type Invalid struct{ Problems []Problem }

func (e *Invalid) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = fmt.Sprintf("%s: %s: %s", p.Path, p.Code, p.Detail)
		if p.Path == "" {
			parts[i] = fmt.Sprintf("%s: %s", p.Code, p.Detail)
		}
	}
	return strings.Join(parts, "; ")
}

func invalid(path string, code Code, format string, args ...any) *Invalid {
	return &Invalid{Problems: []Problem{{Path: path, Code: code, Detail: fmt.Sprintf(format, args...)}}}
}

// open leaves out what binds publishers only; nil if nothing remains.
func (e *Invalid) open() *Invalid {
	var kept []Problem
	for _, p := range e.Problems {
		if !p.closed {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return &Invalid{Problems: kept}
}

// under puts every problem below a path.
func (e *Invalid) under(prefix string) *Invalid {
	moved := make([]Problem, len(e.Problems))
	for i, p := range e.Problems {
		p.Path = prefix + p.Path
		moved[i] = p
	}
	return &Invalid{Problems: moved}
}
