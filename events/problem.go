package events

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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

// Problem is one broken rule.
type Problem struct {
	Path   string `json:"path"` // JSON Pointer (RFC 6901)
	Code   Code   `json:"code"`
	Detail string `json:"detail"`

	closed bool // a vocabulary: binds publishers only
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

const maxID = 128

// checker collects the problems of a payload. Paths are relative to data.
type checker struct{ problems []Problem }

func (c *checker) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	return &Invalid{Problems: c.problems}
}

func (c *checker) add(field string, code Code, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: "/" + field, Code: code, Detail: fmt.Sprintf(format, args...)})
}

// id checks a required identifier: 1–128 printable characters.
func (c *checker) id(field, value string) {
	if value == "" {
		c.add(field, MissingField, "is required")
		return
	}
	c.optionalID(field, value)
}

func (c *checker) optionalID(field, value string) {
	if utf8.RuneCountInString(value) > maxID || !printable(value) {
		c.add(field, InvalidValue, "must be 1–%d printable characters", maxID)
	}
}

// ValidID tells whether text can be an identifier: 1–128 printable characters.
func ValidID(text string) bool {
	return text != "" && utf8.RuneCountInString(text) <= maxID && printable(text)
}

func printable(text string) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// text checks a required text for people.
func (c *checker) text(field, value string) {
	if value == "" {
		c.add(field, MissingField, "is required")
	}
}

func (c *checker) positive(field string, value int64) {
	if value <= 0 {
		c.add(field, InvalidValue, "must be at least 1, is %d", value)
	}
	c.integer(field, value)
}

func (c *checker) notNegative(field string, value int64) {
	if value < 0 {
		c.add(field, InvalidValue, "must not be negative, is %d", value)
	}
	c.integer(field, value)
}

func (c *checker) integer(field string, value int64) {
	if value > maxInteger || value < -maxInteger {
		c.add(field, OutOfRange, "must be at most 2^53")
	}
}

func (c *checker) money(field string, value Money) {
	if value < 0 || value > maxMoney {
		c.add(field, InvalidMoney, "must not be negative or over 2^53 hundredths, is %s", value)
	}
}

func (c *checker) time(field string, value time.Time) {
	if value.IsZero() {
		c.add(field, MissingField, "is required")
	}
}

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

// ValidCurrency tells whether text has the form of an ISO 4217 code.
func ValidCurrency(text string) bool { return currencyForm.MatchString(text) }

func (c *checker) currency(field, value string) {
	if !ValidCurrency(value) {
		c.add(field, InvalidValue, "must be three capital letters as in USD, is %q", clip(value))
	}
}

// oneOf checks a vocabulary. It is closed for publishers; a consumer accepts a value that it does not know.
func (c *checker) oneOf(field, value string, known ...string) {
	for _, k := range known {
		if value == k {
			return
		}
	}
	if value == "" {
		c.add(field, MissingField, "is required")
		return
	}
	c.problems = append(c.problems, Problem{Path: "/" + field, Code: InvalidValue, closed: true, Detail: fmt.Sprintf("must be one of %s, is %q", strings.Join(known, ", "), clip(value))})
}

// each checks the elements of a list.
func each[T any](c *checker, field string, list []T, check func(c *checker, value T)) {
	for i, value := range list {
		var inner checker
		check(&inner, value)
		for _, p := range inner.problems {
			p.Path = fmt.Sprintf("/%s/%d%s", field, i, p.Path)
			c.problems = append(c.problems, p)
		}
	}
}

// notEmpty checks a required list.
func notEmpty[T any](c *checker, field string, list []T) {
	if len(list) == 0 {
		c.add(field, InvalidValue, "must not be empty")
	}
}
