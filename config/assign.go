package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mistake says why a node cannot be a value.
type mistake struct {
	at                     *node
	value, message, remedy string
}

func wrong(n *node, message, remedy string) *mistake {
	m := &mistake{at: n, message: message, remedy: remedy}
	if n.kind == scalar {
		m.value = n.text
	}
	return m
}

// assign gives a value of the struct what the node says; zero is the word that stands for nothing.
func assign(dst reflect.Value, zero string, n *node) *mistake {
	switch {
	case zero != "" && n.kind == scalar && n.text == zero:
		dst.SetZero()
		return nil
	case n.kind == null:
		return wrong(n, "has no value", "write one, or remove the key")
	case dst.Kind() == reflect.Slice && n.kind != section:
		return assignList(dst, n)
	case dst.Kind() == reflect.Map && n.kind != list:
		return assignMap(dst, n)
	case dst.Kind() == reflect.Struct:
		return wrong(n, "is not a choice", "write "+zero+" or a group of keys")
	case n.kind != scalar:
		return wrong(n, "is "+string(n.kind), "write "+example(dst.Type()))
	}
	return assignScalar(dst, n)
}

func assignList(dst reflect.Value, n *node) *mistake {
	if n.kind == scalar && strings.HasPrefix(n.text, "[") && strings.HasSuffix(n.text, "]") {
		sample := "a,b"
		if typeName(dst.Type().Elem()) == "duration" {
			sample = "1s,2s"
		}
		return wrong(n, "has brackets", "a list is written with commas: "+sample)
	}
	items := n.items()
	out := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		if m := assign(out.Index(i), "", item); m != nil {
			return m
		}
	}
	dst.Set(out)
	return nil
}

// assignMap reads names with one text or several; the text of a map is name=value,name=value.
func assignMap(dst reflect.Value, n *node) *mistake {
	out := map[string][]string{}
	for _, e := range n.entries {
		var values []string
		if m := assign(reflect.ValueOf(&values).Elem(), "", e.node); m != nil {
			return m
		}
		out[e.name] = values
	}
	if n.kind == scalar {
		for _, item := range n.items() {
			name, value, ok := strings.Cut(item.text, "=")
			if !ok {
				return wrong(item, "has no name", "write name=value, separated by commas")
			}
			out[name] = append(out[name], value)
		}
	}
	dst.Set(reflect.ValueOf(out))
	return nil
}

// assignScalar leaves the value alone when the text does not fit, so that it is not judged a second time.
func assignScalar(dst reflect.Value, n *node) *mistake {
	value, err := parseScalar(dst.Type(), n.text)
	if err != nil {
		return wrong(n, "is not "+article(dst.Type()), "write "+example(dst.Type()))
	}
	dst.Set(reflect.ValueOf(value).Convert(dst.Type()))
	return nil
}

func parseScalar(t reflect.Type, text string) (any, error) {
	switch typeName(t) {
	case "duration":
		return time.ParseDuration(text)
	case "whole number":
		return strconv.ParseInt(text, 10, t.Bits())
	case "number":
		return strconv.ParseFloat(text, 64)
	case "true or false":
		yes := strings.EqualFold(text, "true")
		if !yes && !strings.EqualFold(text, "false") {
			return nil, strconv.ErrSyntax
		}
		return yes, nil
	}
	return text, nil
}

func article(t reflect.Type) string {
	if t.Kind() == reflect.Bool {
		return typeName(t)
	}
	return "a " + typeName(t)
}

func example(t reflect.Type) string {
	switch typeName(t) {
	case "duration":
		return "a number with its unit, such as 30s or 15m"
	case "true or false":
		return "true or false"
	case "whole number":
		return "a whole number such as 512"
	case "number":
		return "a number such as 0.5"
	case "text":
		return "one text"
	}
	return "a " + typeName(t)
}

// text is the form of a value that the environment accepts as well.
func text(v reflect.Value, zero string) string {
	switch {
	case zero != "" && v.IsZero():
		return zero
	case v.Type() == reflect.TypeFor[time.Duration]():
		return durationText(time.Duration(v.Int()))
	case v.Kind() == reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = text(v.Index(i), "")
		}
		return strings.Join(parts, ",")
	case v.Kind() == reflect.Map:
		var parts []string
		values := v.Interface().(map[string][]string)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			for _, value := range values[name] {
				parts = append(parts, name+"="+value)
			}
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v.Interface())
}

// durationText drops the zero units that time.Duration writes: 15m, not 15m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
