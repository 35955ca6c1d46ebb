package contracts

import _ "embed" // the change log

// Changelog tells what changed in the contracts, newest first, in Markdown.
//
//go:embed CHANGELOG.md
var Changelog string
