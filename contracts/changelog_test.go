package contracts

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFirstSectionIsReplacedUntilItIsReleased(t *testing.T) {
	const section, old = "## Unreleased\n\n- new\n", "## 1.0.0\n\n- old\n"
	for name, log := range map[string]string{
		"not there":         "# Changes\n\n" + old,
		"there and stale":   "# Changes\n\n## Unreleased\n\n- stale\n\n" + old,
		"there and correct": "# Changes\n\n" + section + "\n" + old,
	} {
		require.Equal(t, "# Changes\n\n"+section+"\n"+old, withFirstSection(log, section), name)
	}
	require.Equal(t, "# Changes\n\n"+section, withFirstSection("# Changes\n\n## Unreleased\n\n- stale\n", section))
	require.Equal(t, "# Changes\n\n"+section, withFirstSection("# Changes\n", section))
}
