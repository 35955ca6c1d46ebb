package config

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const envPrefix = "VISCOUNT_"

// otherVariables begin with the prefix and are no keys: the command line reads them.
func otherVariables() []string {
	return []string{"VISCOUNT_URL", "VISCOUNT_TOKEN", "VISCOUNT_TOKEN_FILE", "VISCOUNT_CONFIG", failpointsVariable}
}

const failpointsVariable = "VISCOUNT_FAILPOINTS"

// serviceLinks are the variables that Kubernetes adds for each Service, here for one whose name begins with viscount.
var serviceLinks = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// applyTree lays a section's values over those that are there; place tells where an entry stands.
func (l *loader) applyTree(n *node, prefix string, place func(entry) origin) {
	if n == nil || n.kind == null {
		return
	}
	if n.kind != section {
		l.addAt(place(entry{line: n.line, column: n.column}), Problem{Path: strings.TrimSuffix(prefix, "."), Message: "is " + string(n.kind), Remedy: "write a group of keys: " + strings.Join(l.names(prefix), ", ")})
		return
	}
	for _, e := range n.entries {
		path, inside := prefix+e.name, len(l.names(prefix+e.name+".")) > 0
		f, known := l.field(path)
		switch {
		case strings.Contains(e.name, ".") || !known && !inside:
			l.addAt(place(e), Problem{Path: clip(path), Message: "unknown key", Remedy: l.suggest(prefix, e.name)})
		case inside && (!known || e.node.kind == section || e.node.kind == null):
			l.applyTree(e.node, path+".", place)
		default:
			l.set(f, e, place)
		}
	}
}

func (l *loader) applyEnv() {
	var names []string
	byName := map[string]field{}
	for _, f := range l.fields {
		names, byName[f.Env] = append(names, f.Env), f
		if text := l.env[f.Env]; text != "" {
			l.set(f, entry{node: textNode(text)}, labelled("env "+f.Env))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		_, known := byName[name]
		if known || !strings.HasPrefix(name, envPrefix) || l.env[name] == "" || slices.Contains(otherVariables(), name) || l.linked(name) {
			continue
		}
		remedy := "see viscount config print for the keys"
		if near := nearest(name, names); near != "" {
			remedy = "did you mean " + near + "?"
		}
		l.add(Problem{Origin: "env " + name, Message: "names no key", Remedy: remedy})
	}
}

func (l *loader) linked(name string) bool {
	return l.env["KUBERNETES_SERVICE_HOST"] != "" && serviceLinks.MatchString(name)
}

func (l *loader) applyFlags() {
	for _, path := range slices.Sorted(maps.Keys(l.src.Flags)) {
		f, ok := l.field(path)
		label := labelled("flag --" + path)
		if f.Flag != "" {
			label = labelled("flag --" + f.Flag)
		}
		if !ok {
			l.addAt(label(entry{}), Problem{Path: path, Message: "unknown key", Remedy: "see viscount config print for the keys"})
			continue
		}
		l.set(f, entry{node: textNode(l.src.Flags[path])}, label)
	}
}

func labelled(label string) func(entry) origin {
	return func(entry) origin { return origin{Label: label} }
}

// set gives a key its value, or reports why not.
func (l *loader) set(f field, e entry, place func(entry) origin) {
	o, target := place(e), cmp.Or(f.fileOf, f.Path)
	if before, ok := l.origins[target]; ok && (f.Secret || f.fileOf != "") && before.layer() == o.layer() {
		l.addAt(o, Problem{Path: f.Path, Message: "is given both as a value and as a file", Remedy: "keep one of them"})
		return
	}
	if f.fileOf != "" {
		if e.node.kind != scalar || e.node.text == "" {
			l.addAt(o, Problem{Path: f.Path, Message: "names no file", Remedy: "name the file that holds the secret"})
			return
		}
		l.secrets[target], l.origins[target] = e.node.text, o
		return
	}
	if m := assign(l.value(f), f.zero(), e.node); m != nil {
		if o.File != "" && m.at.line > 0 {
			o.Line, o.Column = m.at.line, m.at.column
		}
		l.addAt(o, Problem{Path: f.Path, Value: clip(redact(m.value, f.Secret)), Message: m.message, Remedy: m.remedy})
		return
	}
	delete(l.secrets, target)
	l.origins[target] = o
}

func (l *loader) field(path string) (field, bool) {
	i := slices.IndexFunc(l.fields, func(f field) bool { return f.Path == path })
	if i < 0 {
		return field{}, false
	}
	return l.fields[i], true
}

// names lists the keys directly inside a section; none if there is no such section.
func (l *loader) names(prefix string) []string {
	var names []string
	for _, f := range l.fields {
		if rest, ok := strings.CutPrefix(f.Path, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// suggest finds what an unknown key was meant to be: a similar one beside it, or its namesake elsewhere.
func (l *loader) suggest(prefix, name string) string {
	beside := l.names(prefix)
	if near := nearest(name, beside); near != "" {
		return "did you mean " + near + "?"
	}
	for _, f := range l.fields {
		if f.Path == prefix+name {
			return "write it as nested groups, without dots"
		}
		if strings.HasSuffix(f.Path, "."+name) {
			return "did you mean " + f.Path + "?"
		}
	}
	return "write one of " + strings.Join(beside, ", ")
}
