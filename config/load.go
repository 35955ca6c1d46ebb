package config

import (
	"embed"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
)

//go:embed local.yaml kafka.yaml sql.yaml googlecloud.yaml
var profiles embed.FS

const (
	defaultProfile = "local"
	maxFileBytes   = 256 << 10 // of a configuration or secret file
)

// Profiles names the profiles, the default one first.
func Profiles() []string { return []string{defaultProfile, "kafka", "sql", "googlecloud"} }

// Source names where settings come from; flags win over env, env over the file, the file over its profile. A list or a map
// replaces the one below it.
type Source struct {
	Profile  string            // as --profile; empty: VISCOUNT_PROFILE, the file's profile key, local
	File     string            // as --config; empty: VISCOUNT_CONFIG, or none
	Env      []string          // as os.Environ returns it; an empty variable counts as unset
	Flags    map[string]string // the flags that were given: path to value
	Services []string          // names of the services that exist; empty: names are not checked
	Driver   string            // the one transport that this program links, whose profile is the default; empty: all are linked
}

// Loaded is a checked configuration and where each value came from.
type Loaded struct {
	Config Config
	Values []Value
}

// Value is one key's effective value, as it may be shown: secrets are redacted.
type Value struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // profile local, f.yaml:12, env VISCOUNT_…, flag --listen; unset
}

// Load reads and checks everything; its error is *Problems. It reads the configuration file and the files of secrets, and
// opens no connection.
func Load(src Source) (*Loaded, error) {
	l := newLoader(src)
	file := l.readFile()
	l.applyProfiles(l.profile(file))
	l.applyTree(file, "", func(n entry) origin { return origin{File: l.src.File, Line: n.line, Column: n.column} })
	l.applyEnv()
	l.applyFlags()
	l.readSecrets()
	l.check()
	if len(l.problems.List) > 0 {
		l.problems.sort()
		return nil, &l.problems
	}
	return &Loaded{Config: l.config, Values: l.values()}, nil
}

// loader collects values, where they came from, and problems.
type loader struct {
	src      Source
	env      map[string]string
	config   Config
	fields   []field
	origins  map[string]origin // by path
	secrets  map[string]string // files of secrets, by the path of the secret
	problems Problems
}

func newLoader(src Source) *loader {
	l := &loader{src: src, env: map[string]string{}, origins: map[string]origin{}, secrets: map[string]string{}}
	l.fields = fields(reflect.TypeFor[Config](), "", nil)
	for _, pair := range src.Env {
		if name, value, ok := strings.Cut(pair, "="); ok {
			l.env[name] = value
		}
	}
	if l.src.File == "" {
		l.src.File = l.env[envPrefix+"CONFIG"]
	}
	l.src.Flags = maps.Clone(src.Flags)
	if src.Profile != "" {
		if l.src.Flags == nil {
			l.src.Flags = map[string]string{}
		}
		l.src.Flags["profile"] = src.Profile
	}
	return l
}

func (l *loader) readFile() *node {
	if l.src.File == "" {
		return &node{kind: null}
	}
	data, err := readLimited(l.src.File)
	if err != nil {
		l.add(Problem{File: l.src.File, Message: "cannot be read: " + cause(err), Remedy: "name a YAML file"})
		return &node{kind: null}
	}
	root, problems := parseYAML(data)
	for _, p := range problems {
		p.File = l.src.File
		l.add(p)
	}
	return root
}

// profile is the one that was chosen; a name that is none is reported by check.
func (l *loader) profile(file *node) string {
	for _, name := range []string{l.src.Flags["profile"], l.env[EnvName("profile")], file.child("profile").text} {
		if name != "" {
			return name
		}
	}
	if slices.Contains(Profiles(), l.src.Driver) { // each profile but the local one is named after its transport
		return l.src.Driver
	}
	return defaultProfile
}

// applyProfiles lays the chosen profile over the local one.
func (l *loader) applyProfiles(name string) {
	l.applyProfile(defaultProfile)
	if name != defaultProfile && slices.Contains(Profiles(), name) {
		l.applyProfile(name)
	}
}

func (l *loader) applyProfile(name string) {
	label := origin{Label: "profile " + name}
	data, err := profiles.ReadFile(name + ".yaml")
	if err != nil {
		l.add(Problem{Origin: label.Label, Message: cause(err)})
		return
	}
	root, problems := parseYAML(data)
	for _, p := range problems {
		p.Origin = label.Label
		l.add(p)
	}
	l.applyTree(root, "", func(entry) origin { return label })
}

// readSecrets reads the files that won over plain values.
func (l *loader) readSecrets() {
	for _, f := range l.fields {
		name, ok := l.secrets[f.Path]
		if !ok {
			continue
		}
		o := l.origins[f.Path]
		data, err := readLimited(name)
		secret := strings.TrimRight(string(data), "\r\n")
		switch {
		case err != nil:
			l.addAt(o, Problem{Path: f.Path + "_file", Value: clip(name), Message: "cannot be read: " + cause(err), Remedy: "name a file that holds the secret"})
		case secret == "":
			l.addAt(o, Problem{Path: f.Path + "_file", Value: clip(name), Message: "is empty", Remedy: "write the secret into it"})
		}
		l.value(f).SetString(secret)
	}
}

func (l *loader) values() []Value {
	var out []Value
	for _, f := range l.fields {
		v := l.value(f)
		if f.fileOf != "" || v.Kind() == reflect.Struct && !v.IsZero() {
			continue
		}
		shown := Value{Path: f.Path, Value: redact(text(v, f.zero()), f.Secret), Origin: "unset"}
		if o, ok := l.origins[f.Path]; ok {
			shown.Origin = o.String()
		}
		if name, ok := l.secrets[f.Path]; ok {
			shown.Origin += " (" + name + ")"
		}
		out = append(out, shown)
	}
	return out
}

func (l *loader) value(f field) reflect.Value {
	return reflect.ValueOf(&l.config).Elem().FieldByIndex(f.index)
}

func (l *loader) add(p Problem) { l.problems.List = append(l.problems.List, p) }

func (l *loader) addAt(o origin, p Problem) {
	p.File, p.Line, p.Column, p.Origin = o.File, o.Line, o.Column, o.Label
	l.add(p)
}

func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		return nil, errors.New("longer than 256 KiB")
	}
	return data, err
}

// cause leaves out the file's name, which stands in the problem already.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
