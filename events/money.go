package events

import (
	"fmt"
	"strconv"
	"strings"
)

// Money is an amount in hundredths. In JSON it is a decimal string without sign or exponent and at most two decimals; we
// write two (domain.md, "The envelope").
type Money int64

// MaxMoney is thirteen digits before the point, which keeps sums of amounts far from overflow and each exact in every language.
const MaxMoney Money = 1e15 - 1

// ParseMoney reads "12", "12.5" or "12.50".
func ParseMoney(text string) (Money, error) {
	whole, fraction, dotted := strings.Cut(text, ".")
	if !digits(whole) || (dotted && (!digits(fraction) || len(fraction) > 2)) {
		return 0, fmt.Errorf("%q is no amount: write a decimal string such as \"12.50\", at most two decimals, without sign or exponent", clip(text))
	}
	units, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(whole) > 13 {
		return 0, fmt.Errorf("%q is out of range", clip(text))
	}
	cents, err := strconv.ParseInt((fraction + "00")[:2], 10, 64)
	if err != nil {
		return 0, err
	}
	return Money(units*100 + cents), nil
}

func digits(text string) bool {
	for _, r := range text {
		if r < '0' || r > '9' {
			return false
		}
	}
	return text != ""
}

func clip(text string) string {
	if len(text) > 40 {
		return strings.ToValidUTF8(text[:40], "") + "…"
	}
	return text
}

// String writes two decimals.
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s%d.%02d", sign, m/100, m%100)
}

// Times is the price of n pieces.
func (m Money) Times(n int64) Money { return m * Money(n) }

// MarshalText implements encoding.TextMarshaler.
func (m Money) MarshalText() ([]byte, error) {
	if m < 0 || m > MaxMoney {
		return nil, fmt.Errorf("the amount %s is out of range", m)
	}
	return []byte(m.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Money) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMoney(string(text))
	return err
}
