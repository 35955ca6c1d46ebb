package contracts

import (
	"embed"
	"io/fs"
	"strings"
	"time"

	"github.com/first-viscount/viscount/events"
)

// Changelog tells what changed in the contracts, newest first, in Markdown.
//
//go:embed CHANGELOG.md
var Changelog string

// released holds the schemas of the newest release; none before the first.
//
//go:embed released
var released embed.FS

const unreleased = "Unreleased"

// Released are the contracts of the newest release, as they were committed with it; none before the first.
func Released() (Set, error) {
	folder, err := fs.Sub(released, "released")
	if err != nil {
		return nil, err
	}
	return loadFiles(folder)
}

// ChangelogFile is the change log with its first section as Diff writes it: what changed since the newest release.
func ChangelogFile(c *events.Catalogue) ([]File, error) {
	before, err := Released()
	if err != nil {
		return nil, err
	}
	section := Section(unreleased, Diff(before, Current(c), time.Time{}))
	return []File{{"contracts/CHANGELOG.md", []byte(withFirstSection(Changelog, section))}}, nil
}

// withFirstSection replaces the section of what is not released, or puts it before those that are.
func withFirstSection(log, section string) string {
	head, rest, _ := strings.Cut(log, "\n## ")
	if _, after, found := strings.Cut(rest, "\n## "); strings.HasPrefix(rest, unreleased+"\n") {
		rest = ""
		if found {
			rest = after
		}
	}
	log = head + "\n" + section
	if rest != "" {
		log += "\n## " + rest
	}
	return log
}
