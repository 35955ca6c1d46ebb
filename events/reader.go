package events

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// reader checks JSON against shapes and fills Go values with it, in one pass; it collects every difference. Fields that a
// shape does not know are left alone. Its methods' errors are the decoder's.
type reader struct {
	dec      *jsontext.Decoder
	prefix   string // the path of what the decoder began with
	problems []Problem
}

// add adds a problem of the value read last.
func (r *reader) add(code Code, format string, args ...any) {
	r.addAt(r.prefix+string(r.dec.StackPointer()), code, format, args...)
}

func (r *reader) addAt(path string, code Code, format string, args ...any) {
	r.problems = append(r.problems, Problem{Path: path, Code: code, Detail: fmt.Sprintf(format, args...)})
}

// value reads one value into v, which is of the shape's type or a pointer to it.
func (r *reader) value(s *Shape, rule Rule, v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	got := r.dec.PeekKind()
	switch {
	case s.Kind == KindObject && got == '{':
		return r.object(s, v)
	case s.Kind == KindList && got == '[':
		return r.list(s, v)
	}
	raw, err := r.dec.ReadValue()
	if err != nil {
		return err
	}
	switch {
	case s.Kind == KindAny && rule == RuleObject && got != '{':
		r.add(WrongType, "must be an object, is %s", describe(got))
	case s.Kind == KindAny:
		v.SetBytes(raw.Clone())
	default:
		r.scalar(s.Kind, got, raw, v)
	}
	return nil
}

func (r *reader) object(s *Shape, v reflect.Value) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	var space [32]bool
	seen := space[:min(len(s.Members), len(space))]
	if len(s.Members) > len(space) {
		seen = make([]bool, len(s.Members))
	}
	var others []string
	for r.dec.PeekKind() != '}' {
		name, err := r.dec.ReadValue()
		if err != nil {
			return err
		}
		m := s.byName[string(name[1:len(name)-1])]
		if m == nil {
			key := unquote(name) // it may be spelled with escapes
			if m = s.byName[key]; m == nil {
				others = append(others, key)
				if err := r.dec.SkipValue(); err != nil {
					return err
				}
				continue
			}
		}
		if seen[m.place], err = r.member(m, v); err != nil {
			return err
		}
	}
	r.missing(s, seen, others)
	_, err := r.dec.ReadToken()
	return err
}

// member reads a field of v; present is false for null where that counts as missing.
func (r *reader) member(m *Member, v reflect.Value) (present bool, err error) {
	if m.Kind != KindAny && r.dec.PeekKind() == 'n' {
		_, err := r.dec.ReadToken()
		return m.Optional, err
	}
	if m.Rule == RuleObject && m.Optional && r.dec.PeekKind() == 'n' {
		_, err := r.dec.ReadToken()
		return true, err
	}
	return true, r.value(m.Shape, m.Rule, v.Field(m.index))
}

// missing adds what an object lacks whose end has not been read.
func (r *reader) missing(s *Shape, seen []bool, others []string) {
	if !slices.ContainsFunc(s.Members, func(m Member) bool { return !m.Optional && !seen[m.place] }) {
		return
	}
	around := r.dec.StackPointer()
	if _, values := r.dec.StackIndex(r.dec.StackDepth()); values > 0 {
		around = around.Parent()
	}
	for i := range s.Members {
		name := s.Members[i].Name
		if s.Members[i].Optional || seen[i] {
			continue
		}
		detail := "is required"
		for _, other := range others {
			if strings.EqualFold(strings.ReplaceAll(other, "_", ""), strings.ReplaceAll(name, "_", "")) {
				detail = fmt.Sprintf("is required; %q is another key", other)
			}
		}
		r.addAt(r.prefix+string(around.AppendToken(name)), MissingField, "%s", detail)
	}
}

func (r *reader) list(s *Shape, v reflect.Value) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 1))
	for i := 0; r.dec.PeekKind() != ']'; i++ {
		v.Grow(1)
		v.SetLen(i + 1)
		if err := r.value(s.Element, "", v.Index(i)); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *reader) scalar(want Kind, got jsontext.Kind, raw jsontext.Value, v reflect.Value) {
	switch {
	case want == KindInteger && got == '0':
		r.integer(string(raw), v)
	case want == KindBool && (got == 't' || got == 'f'):
		v.SetBool(got == 't')
	case want == KindMoney && got == '"':
		amount, err := ParseMoney(unquote(raw))
		if err != nil {
			r.add(InvalidMoney, "%s", err)
		}
		v.SetInt(int64(amount))
	case want == KindTime && got == '"':
		at, err := parseTime(unquote(raw))
		if err != nil {
			r.add(InvalidTimestamp, "%s", err)
		}
		*v.Addr().Interface().(*time.Time) = at
	case want == KindString && got == '"':
		v.SetString(unquote(raw))
	default:
		r.add(WrongType, "must be %s, is %s", want, describe(got))
	}
}

// integer accepts an integer up to 2^53; 2.0 and 1e3 are numbers, but no JSON integers (domain.md, "The envelope").
func (r *reader) integer(text string, v reflect.Value) {
	if strings.ContainsAny(text, ".eE") {
		r.problems = append(r.problems, Problem{Path: r.prefix + string(r.dec.StackPointer()), Code: InvalidNumber, Detail: "must be an integer, is " + clip(text), ours: wholeNumber(text)})
		return
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > MaxInteger || n < -MaxInteger {
		r.add(OutOfRange, "must be an integer up to 2^53, is %s", clip(text))
		return
	}
	v.SetInt(n)
}
