package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

type Source struct {
	Profile  string
	File     string
	Env      []string
	Flags    map[string]string
	Services []string
}
type Loaded struct {
	Config Config
	Values []Value
}
type Value struct{ Path, Value, Origin string }

func Load(s Source) (*Loaded, error) {
	l := &Loaded{}
	fill(reflect.ValueOf(&l.Config).Elem(), "", s)
	return l, nil
}
func fill(v reflect.Value, prefix string, s Source) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		path := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			fill(v.Field(i), path+".", s)
			continue
		}
		text := f.Tag.Get("default")
		env := "VISCOUNT_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_")) + "="
		for _, e := range s.Env {
			if strings.HasPrefix(e, env) {
				text = strings.TrimPrefix(e, env)
			}
		}
		if t, ok := s.Flags[path]; ok {
			text = t
		}
		if text != "" {
			set(v.Field(i), text)
		}
	}
}
func set(v reflect.Value, text string) {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		d, _ := time.ParseDuration(text)
		v.SetInt(int64(d))
	case v.Kind() == reflect.Slice:
		for _, p := range strings.Split(text, ",") {
			e := reflect.New(v.Type().Elem()).Elem()
			set(e, p)
			v.Set(reflect.Append(v, e))
		}
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		v.SetBool(text == "true")
	case v.CanInt():
		if text == "1MiB" {
			text = "1048576"
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic(fmt.Sprint(text, err))
		}
		v.SetInt(n)
	case v.CanFloat():
		n, _ := strconv.ParseFloat(text, 64)
		v.SetFloat(n)
	}
}
