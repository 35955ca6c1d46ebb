package events

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Check reports every value of a payload that breaks a rule of its type's tags, and the problems found besides, as an
// *Invalid with paths relative to the payload.
func Check(payload any, besides ...Problem) error {
	v := reflect.ValueOf(payload)
	var c checker
	c.object(nil, cachedShape(v.Type()), v)
	if c.problems = append(c.problems, besides...); len(c.problems) == 0 {
		return nil
	}
	return &Invalid{Problems: c.problems}
}

var shapes sync.Map // reflect.Type → *Shape: a cache of what the types say about themselves

func cachedShape(t reflect.Type) *Shape {
	if known, ok := shapes.Load(t); ok {
		return known.(*Shape)
	}
	known, _ := shapes.LoadOrStore(t, ShapeOf(t))
	return known.(*Shape)
}

// checker holds Go values to the rules of their shape.
type checker struct{ problems []Problem }

// place is an object below the payload: a name or, without one, an index.
type place struct {
	in    *place
	name  string
	index int
}

func (p *place) path() string {
	switch {
	case p == nil:
		return ""
	case p.name == "":
		return p.in.path() + "/" + strconv.Itoa(p.index)
	}
	return p.in.path() + "/" + p.name
}

func (c *checker) add(in *place, m *Member, code Code, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: in.path() + "/" + m.Name, Code: code, Detail: fmt.Sprintf(format, args...)})
}

func (c *checker) object(in *place, s *Shape, v reflect.Value) {
	for i := range s.Members {
		m := &s.Members[i]
		c.member(in, m, v.Field(m.index))
	}
}

func (c *checker) member(in *place, m *Member, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch m.Kind {
	case KindString:
		c.text(in, m, v.String())
	case KindInteger:
		c.integer(in, m, v.Int())
	case KindMoney:
		if amount := Money(v.Int()); amount < 0 || amount > MaxMoney {
			c.add(in, m, InvalidMoney, "must not be negative or over %s, is %s", MaxMoney, amount)
		}
	case KindTime:
		c.time(in, m, v.Interface().(time.Time))
	case KindObject:
		c.object(&place{in: in, name: m.Name}, m.Shape, v)
	case KindList:
		c.list(in, m, v)
	}
}

func (c *checker) list(in *place, m *Member, v reflect.Value) {
	if m.Rule == RuleNotEmpty && v.Len() == 0 {
		c.add(in, m, InvalidValue, "must not be empty")
	}
	if m.Element.Kind != KindObject {
		return
	}
	list := &place{in: in, name: m.Name}
	for i := range v.Len() {
		c.object(&place{in: list, index: i}, m.Element, v.Index(i))
	}
}

func (c *checker) text(in *place, m *Member, value string) {
	switch {
	case value == "":
		if !m.Optional && (m.Rule != "" || len(m.Vocabulary) > 0) {
			c.add(in, m, MissingField, "is required")
		}
	case m.Rule == RuleID && !ValidID(value):
		c.add(in, m, InvalidValue, "must be 1–%d printable characters", MaxID)
	case m.Rule == RuleCurrency && !ValidCurrency(value):
		c.add(in, m, InvalidValue, "must be three capital letters as in USD, is %q", clip(value))
	case len(m.Vocabulary) > 0 && !slices.Contains(m.Vocabulary, value): // closed for publishers; a consumer accepts a word that it does not know
		c.add(in, m, InvalidValue, "must be one of %s, is %q", strings.Join(m.Vocabulary, ", "), clip(value))
		c.problems[len(c.problems)-1].closed = true
	}
}

func (c *checker) integer(in *place, m *Member, value int64) {
	switch {
	case value > MaxInteger || value < -MaxInteger:
		c.add(in, m, OutOfRange, "must be at most 2^53")
	case m.Rule == RulePositive && value < 1:
		c.add(in, m, InvalidValue, "must be at least 1, is %d", value)
	case m.Rule == RuleNotNegative && value < 0:
		c.add(in, m, InvalidValue, "must not be negative, is %d", value)
	}
}

func (c *checker) time(in *place, m *Member, at time.Time) {
	switch {
	case at.IsZero():
		c.add(in, m, MissingField, "is required")
	case at.Year() < 1000 || at.Year() > 9999:
		c.add(in, m, InvalidTimestamp, "the year must have four digits, is %d", at.Year())
	}
}
