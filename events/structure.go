package events

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one message.
const (
	MaxSize  = 256 << 10 // bytes
	maxDepth = 32
	maxKeys  = 10_000
)

// checkLimits looks at the bytes alone, before anything is built from them: size, depth, number of keys, NUL.
func checkLimits(raw []byte) *Invalid {
	if len(raw) > MaxSize {
		return invalid("", TooLarge, "the message has %d bytes, at most %d are allowed", len(raw), MaxSize)
	}
	if bytes.IndexByte(raw, 0) >= 0 || hasEscapedNUL(raw) {
		return invalid("", ControlChar, "the message contains a NUL character")
	}
	if bytes.Count(raw, []byte{'{'})+bytes.Count(raw, []byte{'['}) <= maxDepth && bytes.Count(raw, []byte{':'}) <= maxKeys {
		return nil // whatever stands in strings
	}
	return checkNesting(raw)
}

func checkNesting(raw []byte) *Invalid {
	depth, deepest, keys := 0, 0, 0
	inString := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		case c == ':':
			keys++
		}
	}
	if deepest > maxDepth {
		return invalid("", TooDeep, "the message is nested %d levels deep, at most %d are allowed", deepest, maxDepth)
	}
	if keys > maxKeys {
		return invalid("", TooLarge, "the message has %d keys, at most %d are allowed", keys, maxKeys)
	}
	return nil
}

// hasEscapedNUL finds a \u0000 whose backslash is not itself escaped.
func hasEscapedNUL(raw []byte) bool {
	for at := 0; ; {
		i := bytes.Index(raw[at:], []byte(`\u0000`))
		if i < 0 {
			return false
		}
		at += i
		backslashes := 0
		for at-1-backslashes >= 0 && raw[at-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return true
		}
		at += 6
	}
}

var notNumber = regexp.MustCompile(`^[+-]?(NaN|Infinity|inf)`)

// syntaxProblem names what the JSON decoder refused.
func syntaxProblem(raw []byte, err error) *Invalid {
	path := ""
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		path = string(syntactic.JSONPointer)
		if at := int(syntactic.ByteOffset); at < len(raw) && notNumber.Match(raw[at:]) {
			return invalid(path, InvalidNumber, "JSON has no NaN and no Infinity")
		}
	}
	text := strings.TrimPrefix(err.Error(), "jsontext: ")
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return invalid(path, DuplicateKey, "the key stands twice in its object")
	case strings.Contains(text, "invalid UTF-8") || strings.Contains(text, "surrogate"):
		return invalid(path, InvalidUTF8, "the text is not valid UTF-8")
	case strings.Contains(text, "exceeded max depth"):
		return invalid(path, TooDeep, "the message is nested too deeply")
	}
	return invalid(path, MalformedJSON, "the message is not valid JSON: %s", text)
}

// wholeNumber tells whether the text is the number of an integer in another spelling, such as 2.0 or 2e3: one number to a
// schema.
func wholeNumber(text string) bool {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if exponent, err := strconv.Atoi(text[i+1:]); err != nil || exponent > 400 || exponent < -400 {
			return true // beyond what is worth working out
		}
	}
	n, ok := new(big.Rat).SetString(text)
	return ok && n.IsInt()
}

func describe(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "nothing"
}

// parseTime reads ISO 8601 with a zone; the zone must be UTC, as Z or +00:00 (contract document, "Naming Conventions").
func parseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if _, offset := at.Zone(); err == nil && (offset != 0 || strings.HasSuffix(text, "-00:00")) {
		return at, fmt.Errorf("%q is not UTC: write Z or +00:00", clip(text))
	}
	if err != nil || text[0] < '1' || text[13] != ':' || strings.Contains(text, ",") { // time.Parse also takes T1:00:00, a comma and the year 0
		return at, fmt.Errorf("%q is no time: write UTC in ISO 8601 with zone, such as 2024-01-15T10:30:00Z", clip(text))
	}
	return at.UTC(), nil
}

// Parse reads JSON into T with the checks and codes of contracts: limits, duplicate keys, types, missing fields, money,
// times. Optional fields are those with omitzero. It serves requests, whose bodies obey the same rules as events.
func Parse[T any](raw []byte) (value T, err error) {
	m, bad := split(raw, nil)
	if bad != nil {
		return value, bad
	}
	defer m.release()
	r := &reader{dec: m.decoderOf(raw)}
	if err := r.value(cachedShape(reflect.TypeFor[T]()), "", reflect.ValueOf(&value).Elem()); err != nil {
		return value, syntaxProblem(raw, err)
	}
	if len(r.problems) > 0 {
		return value, &Invalid{Problems: r.problems}
	}
	return value, nil
}
