package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxInteger  = 1 << 53 // the largest integer that every JSON reader holds exactly
	maxIDLength = 128     // characters of an id
)

// Checker collects the problems of a payload, for its Validate method:
//
//	var c Checker
//	c.ID("order_id", o.OrderID)
//	c.Money("amount", o.Amount)
//	return c.Err()
//
// Field names are JSON names; a path is built only for a problem.
type Checker struct {
	problems []Problem
	parent   *Checker
	name     string
	index    int // position in a list, or notInList
}

const notInList = -1

// Item returns a checker for one element of the list in the named field.
func (c *Checker) Item(name string, index int) *Checker {
	return &Checker{parent: c, name: name, index: index}
}

// Object returns a checker for the object in the named field.
func (c *Checker) Object(name string) *Checker {
	return &Checker{parent: c, name: name, index: notInList}
}

// Err returns what was collected as an *Invalid, or nil.
func (c *Checker) Err() error {
	if len(c.problems) == 0 {
		return nil
	}
	return &Invalid{Problems: c.problems}
}

// Problem records a rule of the payload's own that the named field breaks.
func (c *Checker) Problem(name, code, detail string) {
	c.add(Problem{Path: c.path() + "/" + escapePointer(name), Code: code, Detail: detail})
}

func (c *Checker) add(p Problem) {
	for c.parent != nil {
		c = c.parent
	}
	c.problems = append(c.problems, p)
}

func (c *Checker) path() string {
	if c.parent == nil {
		return "/data"
	}
	path := c.parent.path() + "/" + escapePointer(c.name)
	if c.index != notInList {
		path += "/" + strconv.Itoa(c.index)
	}
	return path
}

func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// ID checks a required id: 1–128 printable characters.
func (c *Checker) ID(name, value string) {
	if code, detail := idProblem(value); code != "" {
		c.Problem(name, code, detail)
	}
}

// OptionalID checks an id that may be absent.
func (c *Checker) OptionalID(name, value string) {
	if value != "" {
		c.ID(name, value)
	}
}

// Text checks a required text that may not be empty.
func (c *Checker) Text(name, value string) {
	if value == "" {
		c.Problem(name, CodeInvalidValue, "is empty; write at least one character")
		return
	}
	c.OptionalText(name, value)
}

// OptionalText checks a text that may be empty or absent.
func (c *Checker) OptionalText(name, value string) {
	if code, detail := textProblem(value); code != "" {
		c.Problem(name, code, detail)
	}
}

// Positive checks a quantity of at least one.
func (c *Checker) Positive(name string, n int64) { c.atLeast(name, n, 1) }

// Count checks a quantity of at least zero.
func (c *Checker) Count(name string, n int64) { c.atLeast(name, n, 0) }

// OptionalCount checks a quantity that may be absent.
func (c *Checker) OptionalCount(name string, n *int64) {
	if n != nil {
		c.Count(name, *n)
	}
}

func (c *Checker) atLeast(name string, n, least int64) {
	switch {
	case n < least:
		c.Problem(name, CodeInvalidValue, fmt.Sprintf("is %d; give at least %d", n, least))
	case n > maxInteger:
		c.Problem(name, CodeOutOfRange, outOfRange)
	}
}

// Money checks an amount between zero and MaxMoney.
func (c *Checker) Money(name string, m Money) {
	if m < 0 || m > MaxMoney {
		c.Problem(name, CodeInvalidMoney, "is "+m.String()+"; "+errMoneyRange.Error())
	}
}

// Currency checks an ISO 4217 code.
func (c *Checker) Currency(name, code string) {
	valid := len(code) == 3
	for _, r := range code {
		valid = valid && r >= 'A' && r <= 'Z'
	}
	if !valid {
		c.Problem(name, CodeInvalidValue, fmt.Sprintf("is %.20q; give three capital letters of ISO 4217, such as USD", code))
	}
}

// OptionalCurrency checks a currency that may be absent.
func (c *Checker) OptionalCurrency(name, code string) {
	if code != "" {
		c.Currency(name, code)
	}
}

// Time checks a required moment.
func (c *Checker) Time(name string, t time.Time) {
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		c.Problem(name, CodeInvalidTimestamp, "is not set; give a moment such as 2024-01-15T10:30:00Z")
	}
}

// OptionalTime checks a moment that may be absent.
func (c *Checker) OptionalTime(name string, t *time.Time) {
	if t != nil {
		c.Time(name, *t)
	}
}

// OneOf checks a value against a closed vocabulary. A publisher may send no other; a consumer accepts one that it does
// not know, so that the vocabulary can grow.
func (c *Checker) OneOf(name, value string, vocabulary ...string) {
	if value == "" {
		c.Problem(name, CodeInvalidValue, "is empty; give one of "+strings.Join(vocabulary, ", "))
		return
	}
	if slices.Contains(vocabulary, value) {
		return
	}
	if code, detail := textProblem(value); code != "" {
		c.Problem(name, code, detail)
		return
	}
	c.add(Problem{
		Path: c.path() + "/" + escapePointer(name), Code: CodeInvalidValue, vocabulary: true,
		Detail: fmt.Sprintf("is %.40q; give one of %s", value, strings.Join(vocabulary, ", ")),
	})
}

func idProblem(id string) (code, detail string) {
	if id == "" {
		return CodeInvalidValue, "is empty; give 1–128 printable characters"
	}
	if code, detail := textProblem(id); code != "" {
		return code, detail
	}
	for _, r := range id {
		if !unicode.IsPrint(r) {
			return CodeInvalidValue, fmt.Sprintf("contains %U; give 1–128 printable characters", r)
		}
	}
	if len(id) > maxIDLength && utf8.RuneCountInString(id) > maxIDLength {
		return CodeInvalidValue, "is too long; give 1–128 printable characters"
	}
	return "", ""
}

func textProblem(text string) (code, detail string) {
	if strings.IndexByte(text, 0) >= 0 {
		return CodeControlChar, nulDetail
	}
	if !utf8.ValidString(text) {
		return CodeInvalidUTF8, "is not UTF-8; encode it as UTF-8"
	}
	return "", ""
}

const (
	nulDetail  = "contains the character NUL, which databases refuse; remove it"
	outOfRange = "is beyond 2^53, which not every reader holds exactly; give a smaller integer or send it as a string"
)
