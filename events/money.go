package events

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
)

// Money is an amount in minor units (cents). On the wire it is a decimal string with two decimals, such as "24.99":
// never a JSON number, whose binary fraction would not hold it.
type Money int64

// MaxMoney is the largest amount that an event can carry: fifteen digits before the point.
const MaxMoney Money = 999_999_999_999_999_99

const maxMoneyDigits = 15

var (
	errMoneyText  = errors.New(`money is a decimal string without sign or exponent and with at most two decimals, such as "24.99"`)
	errMoneyRange = errors.New("money is between 0.00 and 999999999999999.99")
)

// ParseMoney reads a decimal string without sign or exponent and with at most two decimals ("12", "12.5", "12.50").
func ParseMoney(s string) (Money, error) {
	m, err := parseMoney(s)
	if err != nil {
		return 0, fmt.Errorf("parsing money %.40q: %w", s, err)
	}
	return m, nil
}

func parseMoney[S string | []byte](s S) (Money, error) {
	var units int64
	whole, decimals, point := 0, 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9' && point:
			decimals++
		case c >= '0' && c <= '9':
			whole++
		case c == '.' && !point:
			point = true
			continue
		default:
			return 0, errMoneyText
		}
		if decimals > 2 {
			return 0, errMoneyText
		}
		if whole > maxMoneyDigits {
			return 0, errMoneyRange
		}
		units = units*10 + int64(s[i]-'0')
	}
	if whole == 0 || (point && decimals == 0) {
		return 0, errMoneyText
	}
	for ; decimals < 2; decimals++ {
		units *= 10
	}
	return Money(units), nil
}

// Times returns m multiplied by a quantity; an error if the product is beyond MaxMoney in either direction.
func (m Money) Times(n int64) (Money, error) {
	high, low := bits.Mul64(magnitude(int64(m)), magnitude(n))
	if high != 0 || low > uint64(MaxMoney) {
		return 0, fmt.Errorf("multiplying %s by %d: %w", m, n, errMoneyRange)
	}
	if (m < 0) != (n < 0) {
		return -Money(low), nil
	}
	return Money(low), nil
}

// magnitude is the absolute value of n, also of the smallest integer, which has no positive counterpart.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// String writes the amount with two decimals, a difference below zero with its sign.
func (m Money) String() string { return string(m.append(nil)) }

func (m Money) append(b []byte) []byte {
	units := magnitude(int64(m))
	if m < 0 {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, units/100, 10)
	return append(b, '.', byte('0'+units/10%10), byte('0'+units%10))
}

// AppendText appends the amount as it stands in an event; an error if it is below zero or beyond MaxMoney.
func (m Money) AppendText(b []byte) ([]byte, error) {
	if m < 0 || m > MaxMoney {
		return b, fmt.Errorf("writing money %s: %w", m, errMoneyRange)
	}
	return m.append(b), nil
}

// MarshalText is AppendText for encoders that ask for a new slice.
func (m Money) MarshalText() ([]byte, error) { return m.AppendText(nil) }

// UnmarshalText is ParseMoney for decoders. JSON decoders call it for strings only, so a JSON number is refused.
func (m *Money) UnmarshalText(text []byte) error {
	parsed, err := ParseMoney(string(text))
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}
