package events

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what JSON a value takes.
type Kind int

// The kinds of a value.
const (
	KindString Kind = iota
	KindInteger
	KindBool
	KindMoney
	KindTime
	KindObject
	KindList
	KindAny // not bound by the contract: old and new values
)

// String is the kind in words.
func (k Kind) String() string { return kindNames[k] }

var kindNames = [...]string{
	KindString: "a string", KindInteger: "an integer", KindBool: "true or false", KindMoney: "a decimal string", KindTime: "a time string",
	KindObject: "an object", KindList: "a list", KindAny: "any value",
}

// Shape is the JSON form of a Go type, with the rules for its values: the one source of decoding, schemas and other
// languages' models. It is read from the type's tags once.
type Shape struct {
	Kind    Kind
	Type    reflect.Type // of an object
	Name    string       // its Go name
	Members []Member     // of an object, in order
	Element *Shape       // of a list

	byName   map[string]*Member
	personal bool // an object that holds personal members
	subject  int  // the Go field that names whose data an object is, -1 if none
}

// Member is a field of an object. Its tags: json (omitzero: optional, so that it may be absent or null), rule, oneof (the
// words of a vocabulary), class:"personal", class:"subject" (the string that names whose data it is), doc, and deprecated with since, sunset and use.
type Member struct {
	*Shape
	Name       string
	Optional   bool
	Rule       Rule
	Vocabulary []string // what a publisher may send; a consumer accepts other words
	Personal   bool     // personal data: never logged, masked for operators
	Subject    bool     // names the person whose data the object holds: erasing goes by it
	Doc        string
	Deprecated Deprecation

	index int // of the Go field
	place int // among the members
}

// The classes of a field, in its tag class and in the schemas.
const (
	ClassPersonal = "personal"
	ClassSubject  = "subject"
)

// Class is the field's class, "" for most.
func (m *Member) Class() string {
	switch {
	case m.Personal:
		return ClassPersonal
	case m.Subject:
		return ClassSubject
	}
	return ""
}

// Deprecation marks a field or an event that goes away with the next major version. The zero value: it stays.
type Deprecation struct {
	Since  string `json:"since"`  // version
	Sunset string `json:"sunset"` // YYYY-MM-DD, after which the next major version may leave it out
	Use    string `json:"use"`    // what replaces it
}

// Deprecated tells whether it is marked.
func (d Deprecation) Deprecated() bool { return d != Deprecation{} }

// String is "deprecated since 1.2, goes after 2027-06-30; use grams", "" for what stays.
func (d Deprecation) String() string {
	if !d.Deprecated() {
		return ""
	}
	return fmt.Sprintf("deprecated since %s, goes after %s; use %s", d.Since, d.Sunset, d.Use)
}

func (d Deprecation) valid() bool {
	_, err := time.Parse(time.DateOnly, d.Sunset)
	return !d.Deprecated() || err == nil && versionForm.MatchString(d.Since) && d.Use != ""
}

var (
	moneyType = reflect.TypeFor[Money]()
	timeType  = reflect.TypeFor[time.Time]()
	anyType   = reflect.TypeFor[jsontext.Value]()
)

// ShapeOf reads the JSON form of a type. A tag that cannot be is found by NewCatalogue.
func ShapeOf(t reflect.Type) *Shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case moneyType:
		return &Shape{Kind: KindMoney}
	case timeType:
		return &Shape{Kind: KindTime}
	case anyType:
		return &Shape{Kind: KindAny}
	}
	switch t.Kind() {
	case reflect.String:
		return &Shape{Kind: KindString}
	case reflect.Bool:
		return &Shape{Kind: KindBool}
	case reflect.Slice:
		return &Shape{Kind: KindList, Element: ShapeOf(t.Elem())}
	case reflect.Struct:
		return objectShape(t)
	}
	return &Shape{Kind: KindInteger}
}

func objectShape(t reflect.Type) *Shape {
	s := &Shape{Kind: KindObject, Type: t, Name: t.Name(), byName: map[string]*Member{}, subject: -1}
	for i := range t.NumField() {
		m := memberOf(t.Field(i), i)
		s.personal = s.personal || m.Personal || m.personal || m.Element != nil && m.Element.personal
		if m.Subject && m.Kind == KindString {
			s.subject = i
		}
		s.Members = append(s.Members, m)
	}
	for i := range s.Members {
		s.Members[i].place = i
		s.byName[s.Members[i].Name] = &s.Members[i]
	}
	return s
}

func memberOf(f reflect.StructField, index int) Member {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return Member{
		Shape: ShapeOf(f.Type), Name: name, Optional: strings.Contains(options, "omitzero"), Rule: Rule(f.Tag.Get("rule")), Vocabulary: words(f.Tag.Get("oneof")),
		Personal: f.Tag.Get("class") == ClassPersonal, Subject: f.Tag.Get("class") == ClassSubject, Doc: f.Tag.Get("doc"), Deprecated: deprecationOf(f.Tag.Get("deprecated")), index: index,
	}
}

// deprecationOf reads "since=1.2 sunset=2027-06-30 use=customer_id".
func deprecationOf(tag string) (d Deprecation) {
	for _, pair := range strings.Fields(tag) {
		switch key, value, _ := strings.Cut(pair, "="); key {
		case "since":
			d.Since = value
		case "sunset":
			d.Sunset = value
		case "use":
			d.Use = value
		}
	}
	return d
}

// Walk visits every member below a shape, with its path as in items/*/quantity.
func (s *Shape) Walk(visit func(path string, m *Member)) { s.walk("", visit) }

func (s *Shape) walk(prefix string, visit func(path string, m *Member)) {
	for i := range s.Members {
		m := &s.Members[i]
		visit(prefix+m.Name, m)
		switch {
		case m.Kind == KindObject:
			m.walk(prefix+m.Name+"/", visit)
		case m.Kind == KindList && m.Element.Kind == KindObject:
			m.Element.walk(prefix+m.Name+"/*/", visit)
		}
	}
}

// check finds tags that contradict themselves.
func (s *Shape) check() (err error) {
	s.Walk(func(path string, m *Member) {
		if kind, known := ruleKinds[m.Rule]; m.Rule != "" && (!known || kind != m.Kind) {
			err = fmt.Errorf("field %s: rule %q does not fit %s", path, m.Rule, m.Kind)
		}
		if len(m.Vocabulary) > 0 && m.Kind != KindString {
			err = fmt.Errorf("field %s: oneof is for strings", path)
		}
		if !m.Deprecated.valid() {
			err = fmt.Errorf(`field %s: deprecated needs "since=MAJOR.MINOR sunset=YYYY-MM-DD use=FIELD"`, path)
		}
	})
	return err
}

// words are those of a tag; nil for none.
func words(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Fields(tag)
}
