package events

import (
	"slices"
	"strings"
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

// Words say what a rule asks for, "" for none.
func (r Rule) Words() string { return ruleWords[r] }

var ruleWords = map[Rule]string{
	RuleID: "1–128 printable characters", RuleText: "not empty", RulePositive: "at least 1", RuleNotNegative: "at least 0", RuleCurrency: "ISO 4217", RuleNotEmpty: "at least one element", RuleObject: "an object",
}

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
	if text != "" && len(text) <= MaxID && printableASCII(text) {
		return true
	}
	return text != "" && utf8.ValidString(text) && (len(text) <= MaxID || utf8.RuneCountInString(text) <= MaxID) && printable(text)
}

// ValidCurrency tells whether text has the form of an ISO 4217 code.
func ValidCurrency(text string) bool {
	if len(text) != 3 {
		return false
	}
	for i := range text {
		if text[i] < 'A' || text[i] > 'Z' {
			return false
		}
	}
	return true
}

// printableASCII tells whether text holds nothing but the printable characters of ASCII, as nearly every identifier does.
func printableASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
