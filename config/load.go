package config

// Source names where settings come from; flags win over env, env over the file, the file over its profile.
type Source struct {
	Profile  string            // as --profile; empty: VISCOUNT_PROFILE, the file's profile key, local
	File     string            // as --config; empty: VISCOUNT_CONFIG, or none
	Env      []string          // as os.Environ returns it
	Flags    map[string]string // the flags that were given: path to value
	Services []string          // names of the services that exist; empty: names are not checked
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
	Origin string `json:"origin"` // default, profile local, f.yaml:12, env VISCOUNT_…, flag --listen
}

// Load is under way.
func Load(Source) (*Loaded, error) { return &Loaded{}, nil }
