package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Key is one thing that can be set.
type Key struct {
	Path    string   `json:"path"`             // as in YAML, joined by dots
	Env     string   `json:"env"`              // environment variable
	Flag    string   `json:"flag,omitempty"`   // without its dashes, if viscount serve has one
	Type    string   `json:"type"`             // in words
	OneOf   []string `json:"one_of,omitempty"` // the values that are accepted, if they are few
	Default string   `json:"default"`          // of the local profile
	Doc     string   `json:"doc"`
	Secret  bool     `json:"secret,omitempty"`
}

// Keys lists every key in the order of the structs.
func Keys() []Key {
	l := newLoader(Source{})
	l.applyProfile(defaultProfile)
	keys := make([]Key, len(l.fields))
	for i, f := range l.fields {
		keys[i] = f.Key
		if f.fileOf == "" {
			keys[i].Default = text(l.value(f), f.zero())
		}
	}
	return keys
}

// EnvName is the environment variable of a key: transport.kafka.brokers is VISCOUNT_TRANSPORT_KAFKA_BROKERS.
func EnvName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// field is a key and where its value lives.
type field struct {
	Key
	index  []int // in Config
	tag    reflect.StructTag
	fileOf string // the key whose secret the file named here holds; empty for all others
}

func (f field) zero() string { return f.tag.Get("zero") }

// fields walks a struct and lists its keys; a section is one only if a word can stand for it.
func fields(t reflect.Type, prefix string, index []int) []field {
	var found []field
	for i := range t.NumField() {
		sf := t.Field(i)
		f := field{index: append(slices.Clone(index), i), tag: sf.Tag}
		f.Path, f.Flag, f.Doc = prefix+sf.Tag.Get("yaml"), sf.Tag.Get("flag"), sf.Tag.Get("doc")
		f.Env, f.Type, f.Secret = EnvName(f.Path), typeName(sf.Type), sf.Tag.Get("secret") == "true"
		f.OneOf = strings.Fields(sf.Tag.Get("oneof"))
		if f.zero() != "" {
			f.OneOf = append(f.OneOf, f.zero())
		}
		inner := sf.Type.Kind() == reflect.Struct
		if !inner || f.zero() != "" {
			found = append(found, f)
		}
		if f.Secret {
			found = append(found, f.fromFile())
		}
		if inner {
			found = append(found, fields(sf.Type, f.Path+".", f.index)...)
		}
	}
	return found
}

// fromFile is the key that names a file with the secret.
func (f field) fromFile() field {
	file := field{index: f.index, fileOf: f.Path}
	file.Path, file.Type, file.Doc = f.Path+"_file", "text", "file that holds the "+f.Doc
	file.Env = EnvName(file.Path)
	return file
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "whole number"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "names, each with a list of text"
	case t.Kind() == reflect.Struct:
		return "word or group of keys"
	}
	return "text"
}

// nearest finds the name that was probably meant: at most a third of its letters differ.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		previous := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := previous
			if a[i-1] != b[j-1] {
				cost++
			}
			previous = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
