package config

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Roles are what a token may be for: viewer reads; publisher publishes events of the source services that it is bound to;
// operator also commands, requeues and pauses; admin also discards and sees personal data.
func Roles() []string { return []string{"viewer", "publisher", "operator", "admin"} }

// Token is one caller of the API, as the file of http.auth.tokens_file lists it. The token itself is not in the file.
type Token struct {
	Name    string // of whom or what holds it: the actor of the audit
	Role    string
	Sources []string // source services whose events it may publish
	SHA256  string   // of the token, in hex
}

var (
	tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)
	source    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

// ReadTokens reads a file of tokens; its error is *Problems.
func ReadTokens(file string) ([]Token, error) {
	r := tokenReader{file: file, names: map[string]bool{}, sums: map[string]bool{}}
	data, err := readLimited(file)
	if err != nil {
		r.add(0, "", "", "cannot be read: "+cause(err), "name a file of tokens")
		return nil, &r.problems
	}
	root, problems := parseYAML(data)
	for _, p := range problems {
		p.File = file
		r.problems.List = append(r.problems.List, p)
	}
	if len(problems) == 0 {
		r.read(root)
	}
	if len(r.problems.List) > 0 {
		r.problems.sort()
		return nil, &r.problems
	}
	return r.tokens, nil
}

// tokenReader collects tokens and what is wrong with them.
type tokenReader struct {
	file     string
	tokens   []Token
	problems Problems
	names    map[string]bool
	sums     map[string]bool
}

func (r *tokenReader) add(line int, path, value, message, remedy string) {
	r.problems.List = append(r.problems.List, Problem{File: r.file, Line: line, Path: path, Value: clip(value), Message: message, Remedy: remedy})
}

func (r *tokenReader) read(root *node) {
	for _, e := range root.entries {
		if root.kind == section && e.name != "tokens" {
			r.add(e.line, clip(e.name), "", "unknown key", "write tokens")
		}
	}
	tokens := root.child("tokens")
	if tokens.kind != list || len(tokens.entries) == 0 {
		r.add(tokens.line, "tokens", "", "is no list of tokens", "make one with: viscount token create NAME --role ROLE --file "+r.file)
		return
	}
	for _, e := range tokens.entries {
		r.token(e.node)
	}
}

func (r *tokenReader) token(n *node) {
	if n.kind != section {
		r.add(n.line, "tokens", "", "is "+string(n.kind), "write name, role and sha256")
		return
	}
	for _, e := range n.entries {
		if !slices.Contains([]string{"name", "role", "sources", "sha256"}, e.name) {
			r.add(e.line, clip(e.name), "", "unknown key", "write name, role, sources or sha256")
		}
	}
	t := Token{Name: n.child("name").text, Role: n.child("role").text, SHA256: strings.ToLower(n.child("sha256").text)}
	for _, item := range n.child("sources").items() {
		t.Sources = append(t.Sources, item.text)
	}
	before := len(r.problems.List)
	for _, p := range t.Problems() {
		r.add(n.line, p.Path, p.Value, p.Message, p.Remedy)
	}
	if r.names[t.Name] {
		r.add(n.line, "name", t.Name, "stands here a second time", "give every token a name of its own")
	}
	if r.sums[t.SHA256] && t.SHA256 != "" {
		r.add(n.line, "sha256", "", "is another token's", "make each token anew")
	}
	r.names[t.Name], r.sums[t.SHA256] = true, true
	if len(r.problems.List) == before {
		r.tokens = append(r.tokens, t)
	}
}

// Problems are what is wrong with a token, without a place.
func (t Token) Problems() (found []Problem) {
	add := func(path, value, message, remedy string) {
		found = append(found, Problem{Path: path, Value: clip(value), Message: message, Remedy: remedy})
	}
	if !tokenName.MatchString(t.Name) {
		add("name", t.Name, "is no name", "write 1 to 64 letters, digits, . _ @ or -")
	}
	switch {
	case t.Role == "":
		add("role", "", "missing", "give one of "+strings.Join(Roles(), ", "))
	case !slices.Contains(Roles(), t.Role):
		add("role", t.Role, "is not a choice", "write one of "+strings.Join(Roles(), ", "))
	}
	if sum, err := hex.DecodeString(t.SHA256); err != nil || len(sum) != 32 {
		add("sha256", "", "is no SHA-256 in hex", "write the hash of the token, not the token; viscount token create makes both")
	}
	for _, name := range t.Sources {
		if !source.MatchString(name) {
			add("sources", name, "is no source_service", "write a name such as product-catalog-service")
		}
	}
	if t.Role == "publisher" && len(t.Sources) == 0 {
		add("sources", "", "empty", "list the source_service names that the publisher may publish for")
	}
	if t.Role == "viewer" && len(t.Sources) > 0 {
		add("sources", "", "a viewer publishes nothing", "remove them, or choose the role publisher")
	}
	return found
}

// Entry is the token as it stands in the file.
func (t Token) Entry() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %q\n    role: %s\n", t.Name, t.Role)
	if len(t.Sources) > 0 {
		fmt.Fprintf(&b, "    sources: [%s]\n", strings.Join(t.Sources, ", "))
	}
	fmt.Fprintf(&b, "    sha256: %s\n", t.SHA256)
	return b.String()
}
