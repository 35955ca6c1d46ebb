package events

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Rule is what a field's value must keep beyond its kind. It stands in the field's tag, once: Go checks it, and the schemas
// and models of other languages state it.
type Rule string

// The rules. An optional field may also be empty.
const (
	RuleID          Rule = "id"           // 1–128 printable characters
	RuleText        Rule = "text"         // not empty
	RulePositive    Rule = "positive"     // at least 1
	RuleNotNegative Rule = "not_negative" // at least 0
	RuleCurrency    Rule = "currency"     // three capital letters, ISO 4217
	RuleNotEmpty    Rule = "not_empty"    // a list with an element
	RuleObject      Rule = "object"       // any object
)

var ruleKinds = map[Rule]Kind{
	RuleID: KindString, RuleText: KindString, RuleCurrency: KindString, RulePositive: KindInteger, RuleNotNegative: KindInteger, RuleNotEmpty: KindList, RuleObject: KindAny,
}

// Limits of values.
const (
	MaxID      = 128     // characters of an identifier
	MaxInteger = 1 << 53 // and its negative: what every language's numbers hold exactly
)

// Patterns of the strings that contracts know, for every language's regular expressions.
const (
	MoneyPattern    = `^[0-9]{1,13}(\.[0-9]{1,2})?$`
	CurrencyPattern = `^[A-Z]{3}$`
	ServicePattern  = `^[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	VersionPattern  = `^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})$`
	UUIDPattern     = `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`
	// TimePattern is ISO 8601 in UTC, from the year 1000 on, with the days that the months have.
	TimePattern = `^([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))` +
		`|([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)` +
		`T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|\+00:00)$`
)

// IDPattern is an identifier's: no control, format or private-use character, and no space but the plain one.
func IDPattern() string {
	var b strings.Builder
	b.WriteString("^[^")
	b.WriteString(`\x00-\x1f\x7f-\xa0`) // the first two ranges; what follows are the characters themselves, which every language understands
	for _, r := range unprintable[2:] {
		b.WriteRune(r[0])
		if r[1] != r[0] {
			b.WriteByte('-')
			b.WriteRune(r[1])
		}
	}
	b.WriteString("]*$")
	return b.String()
}

// unprintable are the first and last characters of ranges that identifiers may not hold: controls, separators, format
// characters, private use.
var unprintable = [][2]rune{
	{0x00, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x600, 0x605}, {0x61c, 0x61c}, {0x6dd, 0x6dd}, {0x70f, 0x70f}, {0x890, 0x891}, {0x8e2, 0x8e2},
	{0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000}, {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfeff, 0xfeff},
	{0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe007f}, {0xf0000, 0x10ffff},
}

func printable(text string) bool {
	for _, r := range text {
		if !Printable(r) {
			return false
		}
	}
	return true
}

// Printable tells whether an identifier may hold the character.
func Printable(r rune) bool {
	if r < 0x7f {
		return r >= ' '
	}
	return !slices.ContainsFunc(unprintable, func(bad [2]rune) bool { return r >= bad[0] && r <= bad[1] })
}

// ValidID tells whether text can be an identifier: 1–128 printable characters.
func ValidID(text string) bool {
	return text != "" && (len(text) <= MaxID || utf8.RuneCountInString(text) <= MaxID) && printable(text)
}

var currencyForm = regexp.MustCompile(CurrencyPattern)

// ValidCurrency tells whether text has the form of an ISO 4217 code.
func ValidCurrency(text string) bool { return currencyForm.MatchString(text) }

// Check reports every value of a payload that breaks a rule of its type's tags, and the problems found besides, as an
// *Invalid with paths relative to the payload.
func Check(payload any, besides ...Problem) error {
	v := reflect.ValueOf(payload)
	c := &checker{problems: besides}
	c.object(cachedShape(v.Type()), "", v)
	if len(c.problems) == 0 {
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

// checker collects the problems of a payload.
type checker struct{ problems []Problem }

func (c *checker) add(path string, code Code, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Code: code, Detail: fmt.Sprintf(format, args...)})
}

func (c *checker) object(s *Shape, path string, v reflect.Value) {
	for i := range s.Members {
		c.member(&s.Members[i], path, v.Field(s.Members[i].index))
	}
}

func (c *checker) member(m *Member, path string, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	switch m.Kind {
	case KindString:
		c.text(m, path, v.String())
	case KindInteger:
		c.integer(m, path, v.Int())
	case KindMoney:
		if amount := Money(v.Int()); amount < 0 || amount > MaxMoney {
			c.add(path+"/"+m.Name, InvalidMoney, "must not be negative or over %s, is %s", MaxMoney, amount)
		}
	case KindTime:
		c.time(m, path, v.Interface().(time.Time))
	case KindObject:
		c.object(m.Shape, path+"/"+m.Name, v)
	case KindList:
		if m.Rule == RuleNotEmpty && v.Len() == 0 {
			c.add(path+"/"+m.Name, InvalidValue, "must not be empty")
		}
		for i := range v.Len() {
			if m.Element.Kind == KindObject {
				c.object(m.Element, fmt.Sprintf("%s/%s/%d", path, m.Name, i), v.Index(i))
			}
		}
	}
}

func (c *checker) text(m *Member, path, value string) {
	if value == "" {
		if !m.Optional && (m.Rule != "" || len(m.Vocabulary) > 0) {
			c.add(path+"/"+m.Name, MissingField, "is required")
		}
		return
	}
	switch {
	case m.Rule == RuleID && !ValidID(value):
		c.add(path+"/"+m.Name, InvalidValue, "must be 1–%d printable characters", MaxID)
	case m.Rule == RuleCurrency && !ValidCurrency(value):
		c.add(path+"/"+m.Name, InvalidValue, "must be three capital letters as in USD, is %q", clip(value))
	case len(m.Vocabulary) > 0 && !slices.Contains(m.Vocabulary, value): // closed for publishers; a consumer accepts a word that it does not know
		c.problems = append(c.problems, Problem{Path: path + "/" + m.Name, Code: InvalidValue, closed: true, Detail: fmt.Sprintf("must be one of %s, is %q", strings.Join(m.Vocabulary, ", "), clip(value))})
	}
}

func (c *checker) integer(m *Member, path string, value int64) {
	switch {
	case value > MaxInteger || value < -MaxInteger:
		c.add(path+"/"+m.Name, OutOfRange, "must be at most 2^53")
	case m.Rule == RulePositive && value < 1:
		c.add(path+"/"+m.Name, InvalidValue, "must be at least 1, is %d", value)
	case m.Rule == RuleNotNegative && value < 0:
		c.add(path+"/"+m.Name, InvalidValue, "must not be negative, is %d", value)
	}
}

func (c *checker) time(m *Member, path string, at time.Time) {
	switch {
	case at.IsZero():
		c.add(path+"/"+m.Name, MissingField, "is required")
	case at.Year() < 1000 || at.Year() > 9999:
		c.add(path+"/"+m.Name, InvalidTimestamp, "the year must have four digits, is %d", at.Year())
	}
}
