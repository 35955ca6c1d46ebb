package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// leaf is one setting: where its value lives and how it is read.
type leaf struct {
	key    string
	secret bool
	value  reflect.Value
}

var (
	durationType  = reflect.TypeFor[time.Duration]()
	retentionType = reflect.TypeFor[Retention]()
)

// leaves finds every setting of a Config by its YAML path.
func leaves(c *Config) map[string]leaf {
	found := map[string]leaf{}
	collect(reflect.ValueOf(c).Elem(), "", found)
	return found
}

func collect(v reflect.Value, prefix string, found map[string]leaf) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			collect(v.Field(i), key+".", found)
			continue
		}
		found[key] = leaf{key: key, secret: f.Tag.Get("secret") == "true", value: v.Field(i)}
	}
}

// fromYAML reads a scalar or a list.
func (l leaf) fromYAML(node ast.Node) error {
	if list, ok := node.(*ast.SequenceNode); ok {
		if l.value.Kind() != reflect.Slice {
			return fmt.Errorf("must be %s, is a list", l.want())
		}
		texts := make([]string, len(list.Values))
		for i, item := range list.Values {
			if err := yaml.NodeToValue(item, &texts[i]); err != nil {
				return fmt.Errorf("item %d must be a single value", i+1)
			}
		}
		return l.fromList(texts)
	}
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return fmt.Errorf("must be %s, is a group of settings", l.want())
	}
	token := node.GetToken()
	text := token.Value
	if _, quoted := node.(*ast.StringNode); quoted && (l.value.Kind() == reflect.Bool || l.value.CanInt() && l.value.Type() != durationType && l.value.Type() != retentionType) {
		return fmt.Errorf("must be %s, is the text %q", l.want(), clip(text))
	}
	return l.fromText(text)
}

// fromText reads what the environment and flags give; lists are separated by commas.
func (l leaf) fromText(text string) error {
	if l.value.Kind() == reflect.Slice {
		if text == "" {
			return l.fromList(nil)
		}
		return l.fromList(strings.Split(text, ","))
	}
	return setScalar(l.value, text)
}

func (l leaf) fromList(texts []string) error {
	list := reflect.MakeSlice(l.value.Type(), len(texts), len(texts))
	for i, text := range texts {
		if err := setScalar(list.Index(i), strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	l.value.Set(list)
	return nil
}

func setScalar(v reflect.Value, text string) error {
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("must be a duration such as 30s or 15m, is %q", clip(text))
		}
		v.SetInt(int64(d))
	case v.Type() == retentionType:
		d, err := time.ParseDuration(text)
		if text != "contract" && (err != nil || d <= 0) {
			return fmt.Errorf("must be contract or a duration such as 48h, is %q", clip(text))
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("must be true or false, is %q", clip(text))
		}
		v.SetBool(b)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("must be an integer, is %q", clip(text))
		}
		v.SetInt(n)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("must be a number, is %q", clip(text))
		}
		v.SetFloat(f)
	}
	return nil
}

func (l leaf) want() string {
	switch {
	case l.value.Type() == durationType:
		return "a duration such as 30s"
	case l.value.Type() == retentionType:
		return "contract or a duration"
	case l.value.Kind() == reflect.Slice:
		return "a list"
	case l.value.Kind() == reflect.Bool:
		return "true or false"
	case l.value.CanInt():
		return "an integer"
	case l.value.CanFloat():
		return "a number"
	}
	return "a text"
}

func (l leaf) text() string {
	if l.value.Kind() == reflect.Slice {
		parts := make([]string, l.value.Len())
		for i := range parts {
			parts[i] = scalarText(l.value.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return scalarText(l.value)
}

func scalarText(v reflect.Value) string {
	if v.Type() == retentionType {
		if v.Int() == 0 {
			return "contract"
		}
		return time.Duration(v.Int()).String()
	}
	return fmt.Sprint(v.Interface())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func clip(text string) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(text[:60], "") + "…"
	}
	return text
}
