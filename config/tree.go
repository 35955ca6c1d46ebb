package config

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// node is a piece of configuration before it has a type: YAML, or the text of a variable or flag.
type node struct {
	kind         kind
	text         string  // of a scalar
	entries      []entry // of a section or list
	line, column int
}

type kind string

const (
	null    kind = "nothing"
	scalar  kind = "a single value"
	list    kind = "a list"
	section kind = "a group of keys"
)

// entry is a member of a section, with its name, or of a list, without.
type entry struct {
	name         string
	line, column int
	node         *node
}

// treeReader turns the parser's tree into nodes and collects what it must refuse.
type treeReader struct{ problems []Problem }

// parseYAML reads one document. Problems carry line and column; the caller adds the file.
func parseYAML(data []byte) (*node, []Problem) {
	// Duplicate keys are allowed here only so that all of them are found and reported, below.
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []Problem{syntaxProblem(err)}
	}
	var r treeReader
	root := &node{kind: null}
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			r.refuse(doc.Body, "a second document", "keep one document in a file")
			break
		}
		root = r.read(doc.Body, "")
	}
	return root, r.problems
}

func syntaxProblem(err error) Problem {
	p := Problem{Message: "not valid YAML"}
	var at yaml.Error
	if errors.As(err, &at) {
		p.Remedy = quoted.ReplaceAllString(at.GetMessage(), redacted) // it may be a secret
		if token := at.GetToken(); token != nil && token.Position != nil {
			p.Line, p.Column = token.Position.Line, token.Position.Column
		}
	}
	return p
}

func (r *treeReader) read(n ast.Node, path string) *node {
	out := &node{kind: null}
	out.line, out.column = position(n)
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		out.kind, out.entries = section, r.members(n.Values, path)
	case *ast.MappingValueNode:
		out.kind, out.entries = section, r.members([]*ast.MappingValueNode{n}, path)
	case *ast.SequenceNode:
		out.kind = list
		for _, value := range n.Values {
			item := r.read(value, path)
			out.entries = append(out.entries, entry{line: item.line, column: item.column, node: item})
		}
	case *ast.LiteralNode:
		out.kind, out.text = scalar, n.Value.Value
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = scalar, n.GetToken().Value
	default:
		r.refuse(n, "anchors, aliases and tags are not supported", "write the value out")
	}
	return out
}

func (r *treeReader) members(values []*ast.MappingValueNode, path string) []entry {
	var out []entry
	first := map[string]bool{}
	for _, v := range values {
		key, ok := v.Key.(ast.ScalarNode)
		if !ok || v.Key.IsMergeKey() {
			r.refuse(v.Key, "not the name of a key", "write a plain name")
			continue
		}
		e := entry{name: key.GetToken().Value}
		e.line, e.column = position(v.Key)
		if first[e.name] {
			r.problems = append(r.problems, Problem{Line: e.line, Column: e.column, Path: clip(path + e.name), Message: "stands here a second time", Remedy: "keep one of them"})
			continue
		}
		first[e.name] = true
		e.node = r.read(v.Value, path+e.name+".")
		out = append(out, e)
	}
	return out
}

func (r *treeReader) refuse(n ast.Node, message, remedy string) {
	line, column := position(n)
	r.problems = append(r.problems, Problem{Line: line, Column: column, Message: message, Remedy: remedy})
}

func position(n ast.Node) (line, column int) {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0, 0
	}
	if pair, ok := n.(*ast.MappingValueNode); ok { // its own token is the colon
		return position(pair.Key)
	}
	return n.GetToken().Position.Line, n.GetToken().Position.Column
}

// textNode is what a variable or a flag gives.
func textNode(text string) *node { return &node{kind: scalar, text: text} }

// items are the members of a list; the text of one separates them by commas.
func (n *node) items() []*node {
	var out []*node
	if n.kind == scalar && n.text != "" {
		for part := range strings.SplitSeq(n.text, ",") {
			out = append(out, &node{kind: scalar, text: strings.TrimSpace(part), line: n.line, column: n.column})
		}
	}
	for _, e := range n.entries {
		out = append(out, e.node)
	}
	return out
}

// child finds a member of a section.
func (n *node) child(name string) *node {
	if n != nil && n.kind == section {
		for _, e := range n.entries {
			if e.name == name {
				return e.node
			}
		}
	}
	return &node{kind: null}
}
