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

	"github.com/go-json-experiment/json"
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

// walker checks JSON against a shape and collects every difference.
type walker struct {
	dec      *jsontext.Decoder
	problems []Problem
}

func (w *walker) add(path string, code Code, format string, args ...any) {
	w.problems = append(w.problems, Problem{Path: path, Code: code, Detail: fmt.Sprintf(format, args...)})
}

// checkStructure compares valid JSON with a shape. Fields that the shape does not know are left alone.
func checkStructure(raw jsontext.Value, s *Shape, path string) []Problem {
	w := &walker{dec: jsontext.NewDecoder(bytes.NewBuffer(raw))}
	if err := w.value(s, path); err != nil {
		return syntaxProblem(raw, err).Problems
	}
	return w.problems
}

// value checks one value; its error is the decoder's.
func (w *walker) value(s *Shape, path string) error {
	switch got := w.dec.PeekKind(); {
	case s.Kind == KindAny:
		return w.dec.SkipValue()
	case s.Kind == KindObject && got == '{':
		return w.object(s, path)
	case s.Kind == KindList && got == '[':
		return w.list(s, path)
	case s.Kind == KindObject || s.Kind == KindList:
		w.add(path, WrongType, "must be %s, is %s", s.Kind, describe(got))
		return w.dec.SkipValue()
	}
	token, err := w.dec.ReadToken()
	if err != nil {
		return err
	}
	if k := token.Kind(); k == '{' || k == '[' {
		w.add(path, WrongType, "must be %s, is %s", s.Kind, describe(k))
		return w.skipRest()
	}
	w.scalar(s.Kind, token, path)
	return nil
}

// skipRest leaves a container whose opening token was read.
func (w *walker) skipRest() error {
	for depth := w.dec.StackDepth(); w.dec.StackDepth() >= depth; {
		if _, err := w.dec.ReadToken(); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) object(s *Shape, path string) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	seen := make(map[string]bool, len(s.Members))
	var others []string
	for w.dec.PeekKind() != '}' {
		name, err := w.dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		f := s.byName[key]
		if f == nil {
			others = append(others, key)
			if err := w.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		got := w.dec.PeekKind()
		if got == 'n' {
			seen[key] = f.Optional || f.Kind == KindAny
			if err := w.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		seen[key] = true
		if f.Rule == RuleObject && got != '{' {
			w.add(path+"/"+key, WrongType, "must be an object, is %s", describe(got))
		}
		if err := w.value(f.Shape, path+"/"+key); err != nil {
			return err
		}
	}
	w.missing(s, path, seen, others)
	_, err := w.dec.ReadToken()
	return err
}

func (w *walker) missing(s *Shape, path string, seen map[string]bool, others []string) {
	for i := range s.Members {
		name := s.Members[i].Name
		if s.Members[i].Optional || seen[name] {
			continue
		}
		detail := "is required"
		for _, other := range others {
			if strings.EqualFold(strings.ReplaceAll(other, "_", ""), strings.ReplaceAll(name, "_", "")) {
				detail = fmt.Sprintf("is required; %q is another key", other)
			}
		}
		w.add(path+"/"+name, MissingField, "%s", detail)
	}
}

func (w *walker) list(s *Shape, path string) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; w.dec.PeekKind() != ']'; i++ {
		if err := w.value(s.Element, path+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	_, err := w.dec.ReadToken()
	return err
}

func (w *walker) scalar(want Kind, token jsontext.Token, path string) {
	got := token.Kind()
	switch {
	case want == KindInteger && got == '0':
		w.integer(token.String(), path)
	case want == KindBool && (got == 't' || got == 'f'):
	case want == KindMoney && got == '"':
		if _, err := ParseMoney(token.String()); err != nil {
			w.add(path, InvalidMoney, "%s", err)
		}
	case want == KindTime && got == '"':
		if _, err := parseTime(token.String()); err != nil {
			w.add(path, InvalidTimestamp, "%s", err)
		}
	case want == KindString && got == '"':
	default:
		w.add(path, WrongType, "must be %s, is %s", want, describe(got))
	}
}

// integer accepts an integer up to 2^53; 2.0 and 1e3 are numbers, but no JSON integers (domain.md, "The envelope").
func (w *walker) integer(text, path string) {
	if strings.ContainsAny(text, ".eE") {
		w.problems = append(w.problems, Problem{Path: path, Code: InvalidNumber, Detail: "must be an integer, is " + clip(text), ours: wholeNumber(text)})
		return
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > MaxInteger || n < -MaxInteger {
		w.add(path, OutOfRange, "must be an integer up to 2^53, is %s", clip(text))
	}
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

var timeForm = regexp.MustCompile(TimePattern)

// parseTime reads ISO 8601 with a zone; the zone must be UTC, as Z or +00:00 (contract document, "Naming Conventions").
func parseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if _, offset := at.Zone(); err == nil && (offset != 0 || strings.HasSuffix(text, "-00:00")) {
		return at, fmt.Errorf("%q is not UTC: write Z or +00:00", clip(text))
	}
	if err != nil || !timeForm.MatchString(text) { // time.Parse also takes T1:00:00 and a comma
		return at, fmt.Errorf("%q is no time: write UTC in ISO 8601 with zone, such as 2024-01-15T10:30:00Z", clip(text))
	}
	return at.UTC(), nil
}

// Parse reads JSON into T with the checks and codes of contracts: limits, duplicate keys, types, missing fields, money,
// times. Optional fields are those with omitzero. It serves requests, whose bodies obey the same rules as events.
func Parse[T any](raw []byte) (value T, err error) {
	if _, bad := split(raw); bad != nil {
		return value, bad
	}
	if problems := checkStructure(raw, cachedShape(reflect.TypeFor[T]()), ""); len(problems) > 0 {
		return value, &Invalid{Problems: problems}
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return value, invalid("", WrongType, "%s", err)
	}
	return value, nil
}
