package contracts

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
)

// File is a generated file; its path is relative to the repository.
type File struct {
	Path    string
	Content []byte
}

// SchemaFolder is where the schemas are committed.
const SchemaFolder = "contracts/schemas"

// Schemas are the envelope's schema and each contract's, one file per major version.
func Schemas(c *events.Catalogue) ([]File, error) {
	envelope, err := Write(Envelope())
	if err != nil {
		return nil, err
	}
	files := []File{{SchemaFolder + "/" + envelopeName + suffix, envelope}}
	for _, d := range c.All() {
		content, err := Write(Event(d))
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", d.Contract.Type, err)
		}
		files = append(files, File{SchemaFolder + "/" + nameOf(d) + suffix, content})
	}
	return files, nil
}

// Write is a document as it is committed and served: indented, with every character that is not seen written as an escape.
func Write(document any) ([]byte, error) {
	raw, err := json.Marshal(document, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, r := range string(raw) {
		switch {
		case r == '\n' || events.Printable(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Ordered is a JSON object whose members keep their order.
type Ordered []Property

// Property is one member.
type Property struct {
	Name  string
	Value *Schema
}

// Get finds a member; nil if there is none.
func (o Ordered) Get(name string) *Schema {
	for _, p := range o {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}

// MarshalJSONTo implements json.MarshalerTo.
func (o Ordered) MarshalJSONTo(enc *jsontext.Encoder) error {
	return writeAll(enc, jsontext.BeginObject, jsontext.EndObject, len(o), func(i int) error {
		if err := enc.WriteToken(jsontext.String(o[i].Name)); err != nil {
			return err
		}
		return json.MarshalEncode(enc, o[i].Value)
	})
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (o *Ordered) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		p := Property{Name: name.String(), Value: &Schema{}}
		if err := json.UnmarshalDecode(dec, p.Value); err != nil {
			return err
		}
		*o = append(*o, p)
	}
	_, err := dec.ReadToken()
	return err
}

func writeAll(enc *jsontext.Encoder, begin, end jsontext.Token, n int, one func(i int) error) error {
	if err := enc.WriteToken(begin); err != nil {
		return err
	}
	for i := range n {
		if err := one(i); err != nil {
			return err
		}
	}
	return enc.WriteToken(end)
}

// Read reads a schema that Write wrote.
func Read(raw []byte) (*Schema, error) {
	var s Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	return &s, nil
}
