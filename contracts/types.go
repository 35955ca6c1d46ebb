package contracts

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
)

// Components collects the schemas of Go types for an OpenAPI document.
type Components struct {
	defs  definitions
	types map[string]reflect.Type // by component
}

// NewComponents begins an empty collection.
func NewComponents() *Components {
	return &Components{defs: definitions{prefix: "#/components/schemas/", suffix: "Request", closed: true}, types: map[string]reflect.Type{}}
}

// All are the schemas collected so far.
func (c *Components) All() Ordered { return c.defs.all }

// Event is the schema of an event of any type, as events.CheckPublish reads it.
func (c *Components) Event() *Schema {
	if c.defs.all.Get("Event") == nil {
		s := envelope(&c.defs)
		s.Schema, s.If, s.Then = "", nil, nil // OpenAPI's linter wants the properties of a condition told again
		s.Description = "An event, with event_version or, in the old dialect, version. Its data is what /api/v1/contracts/{type}/schema says."
		c.defs.all = append(c.defs.all, Property{"Event", s})
	}
	return c.defs.to("Event")
}

// Request is the schema of a body that events.Parse reads.
func (c *Components) Request(t reflect.Type) *Schema { return c.defs.named(events.ShapeOf(t)) }

// Answer is the schema of a value as it is written.
func (c *Components) Answer(t reflect.Type) *Schema {
	switch t {
	case reflect.TypeFor[jsontext.Value](), reflect.TypeFor[any]():
		return &Schema{}
	case reflect.TypeFor[time.Time]():
		return c.defs.ref("timestamp")
	case reflect.TypeFor[events.Money]():
		return c.defs.ref("money")
	case reflect.TypeFor[uuid.UUID]():
		return &Schema{Type: Types{"string"}, Format: "uuid"}
	case reflect.TypeFor[Schema]():
		return &Schema{Type: Types{"object"}, Description: "A JSON Schema (2020-12)."}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return c.Answer(t.Elem())
	case reflect.String:
		return &Schema{Type: Types{"string"}}
	case reflect.Bool:
		return &Schema{Type: Types{"boolean"}}
	case reflect.Float64, reflect.Float32:
		return &Schema{Type: Types{"number"}}
	case reflect.Slice, reflect.Array:
		return &Schema{Type: Types{"array"}, Items: c.Answer(t.Elem())}
	case reflect.Map:
		return &Schema{Type: Types{"object"}, Additional: c.Answer(t.Elem())}
	case reflect.Struct:
		return c.component(t)
	case reflect.Interface:
		return &Schema{}
	}
	return &Schema{Type: Types{"integer"}}
}

// component is a struct's schema, under a name of its own.
func (c *Components) component(t reflect.Type) *Schema {
	name := componentName(t)
	if other, taken := c.types[name]; taken && other != t {
		name = title(t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]) + name
	}
	if other, taken := c.types[name]; taken && other != t {
		panic(fmt.Sprintf("contracts: two types are named %s: %s and %s", name, other, t))
	}
	if c.types[name] == nil {
		c.types[name] = t
		c.defs.all = append(c.defs.all, Property{name, &Schema{}}) // its place: a type may hold itself
		s := &Schema{Type: Types{"object"}}
		c.members(t, s)
		*c.defs.all.Get(name) = *s
	}
	return c.defs.to(name)
}

func (c *Components) members(t reflect.Type, s *Schema) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			c.members(f.Type, s)
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			name = f.Name
		}
		value := c.Answer(f.Type)
		left := strings.Contains(options, "omitzero") || strings.Contains(options, "omitempty")
		if f.Type.Kind() == reflect.Pointer && !left {
			value = &Schema{AnyOf: []Schema{*value, {Type: Types{"null"}}}}
		}
		s.Properties = append(s.Properties, Property{name, value})
		if !left {
			s.Required = append(s.Required, name)
		}
	}
}

// componentName is a type's name as readers know it: page[catalog.Product] is ProductPage, levelBody is Level.
func componentName(t reflect.Type) string {
	name, of, generic := strings.Cut(t.Name(), "[")
	name = title(strings.TrimSuffix(name, "Body"))
	if generic {
		of = strings.TrimSuffix(of, "]")
		return title(strings.TrimSuffix(of[strings.LastIndexByte(of, '.')+1:], "Body")) + name
	}
	return name
}

func title(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
