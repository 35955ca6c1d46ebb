package events

import (
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// kind is what JSON a field takes.
type kind int

const (
	kindString kind = iota
	kindInteger
	kindBool
	kindMoney
	kindTime
	kindObject
	kindList
	kindAny // not bound by the contract: attributes, old and new values
)

var kindNames = map[kind]string{
	kindString: "a string", kindInteger: "an integer", kindBool: "true or false", kindMoney: "a decimal string", kindTime: "a time string",
	kindObject: "an object", kindList: "a list", kindAny: "any value",
}

// shape is the JSON form of a Go type, worked out once per contract.
type shape struct {
	kind     kind
	fields   map[string]*field // of an object
	order    []string
	required []string
	element  *shape // of a list
}

type field struct {
	*shape
	optional bool
	personal bool
	object   bool // kindAny that must be an object
}

var (
	moneyType = reflect.TypeFor[Money]()
	timeType  = reflect.TypeFor[time.Time]()
	anyType   = reflect.TypeFor[jsontext.Value]()
)

// shapeOf reads a type's JSON form: omitzero marks what is optional, class:"personal" what is personal data.
func shapeOf(t reflect.Type) *shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case moneyType:
		return &shape{kind: kindMoney}
	case timeType:
		return &shape{kind: kindTime}
	case anyType:
		return &shape{kind: kindAny}
	}
	switch t.Kind() {
	case reflect.String:
		return &shape{kind: kindString}
	case reflect.Bool:
		return &shape{kind: kindBool}
	case reflect.Slice:
		return &shape{kind: kindList, element: shapeOf(t.Elem())}
	case reflect.Struct:
		return objectShape(t)
	}
	return &shape{kind: kindInteger}
}

func objectShape(t reflect.Type) *shape {
	s := &shape{kind: kindObject, fields: map[string]*field{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		one := &field{shape: shapeOf(f.Type), optional: strings.Contains(options, "omitzero"), personal: f.Tag.Get("class") == "personal", object: f.Tag.Get("json_kind") == "object"}
		s.fields[name] = one
		s.order = append(s.order, name)
		if !one.optional {
			s.required = append(s.required, name)
		}
	}
	return s
}
