package contracts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/first-viscount/viscount/events"
)

// Current are the contracts of a catalogue, and the envelope, as they stand in this program.
func Current(c *events.Catalogue) Set {
	set := Set{envelopeName: Envelope()}
	for _, d := range c.All() {
		set[nameOf(d)] = Event(d)
	}
	return set
}

func nameOf(d *events.Definition) string { return d.Contract.Type + ".v" + d.Contract.Major() }

const (
	suffix       = ".schema.json"
	envelopeName = "envelope"
)

// Load reads committed contracts: of a folder (a checkout, or the schemas themselves), or else of a git ref of the repository
// in the working directory.
func Load(ctx context.Context, from string) (Set, error) {
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		return loadFolder(from)
	}
	return loadRef(ctx, from)
}

func loadFolder(folder string) (Set, error) {
	if inner := filepath.Join(folder, filepath.FromSlash(SchemaFolder)); isFolder(inner) {
		folder = inner
	}
	set, err := loadFiles(os.DirFS(folder))
	if err != nil {
		return nil, err
	}
	return set.orNothing(folder)
}

func loadFiles(folder fs.FS) (Set, error) {
	files, err := fs.Glob(folder, "*"+suffix)
	if err != nil {
		return nil, err
	}
	set := Set{}
	for _, file := range files {
		raw, err := fs.ReadFile(folder, file)
		if err != nil {
			return nil, err
		}
		if err := set.add(file, raw); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func loadRef(ctx context.Context, ref string) (Set, error) {
	if strings.HasPrefix(ref, "-") {
		return nil, fmt.Errorf("%q is neither a folder nor a git ref", ref)
	}
	list, err := git(ctx, "ls-tree", "--full-tree", "--name-only", ref, SchemaFolder+"/")
	if err != nil {
		return nil, fmt.Errorf("%q is neither a folder nor a git ref here: %w", ref, err)
	}
	set := Set{}
	for _, file := range strings.Fields(string(list)) {
		raw, err := git(ctx, "show", ref+":"+file)
		if err != nil {
			return nil, err
		}
		if err := set.add(path.Base(file), raw); err != nil {
			return nil, err
		}
	}
	return set.orNothing(ref)
}

func git(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, fmt.Errorf("git %s: %s", args[0], strings.TrimSpace(string(failed.Stderr)))
	}
	return out, err
}

func (s Set) add(file string, raw []byte) error {
	name, ok := strings.CutSuffix(file, suffix)
	if !ok {
		return nil
	}
	schema, err := Read(raw)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if schema.Contract == nil && name != envelopeName {
		return fmt.Errorf("reading %s: it has no x-contract", file)
	}
	s[name] = schema
	return nil
}

// ErrNothing is a folder or ref that holds no contracts.
var ErrNothing = errors.New("no contracts in " + SchemaFolder)

func (s Set) orNothing(from string) (Set, error) {
	if len(s) == 0 {
		return nil, fmt.Errorf("%s: %w", from, ErrNothing)
	}
	return s, nil
}
