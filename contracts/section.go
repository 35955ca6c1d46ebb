package contracts

import (
	"fmt"
	"strings"
)

// Section writes changes as a section of CHANGELOG.md.
func Section(title string, changes []Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", title)
	if len(changes) == 0 {
		b.WriteString("- No contract changed.\n")
	}
	for _, c := range changes {
		name, major := c.Contract, "1" // the envelope has no versions
		if at := strings.LastIndex(name, ".v"); at >= 0 {
			name, major = name[:at], name[at+2:] // of order.validated.v1
		}
		fmt.Fprintf(&b, "- `%s`: ", name)
		if major != "1" {
			fmt.Fprintf(&b, "(version %s) ", major)
		}
		if c.Breaking {
			b.WriteString("breaking: ")
		}
		if c.Path != "" {
			fmt.Fprintf(&b, "`%s` ", strings.TrimPrefix(c.Path, "data/"))
		}
		b.WriteString(c.What + "\n")
	}
	return b.String()
}
