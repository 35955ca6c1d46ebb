package failpoints

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPointsStrikeWhenTheyShould(t *testing.T) {
	strikes := func(spec string) (at []int) {
		s, err := Parse(spec)
		require.NoError(t, err)
		for n := 1; n <= 6; n++ {
			if err := s.Hit("commit.before"); err != nil {
				require.ErrorIs(t, err, ErrInjected)
				at = append(at, n)
			}
		}
		return at
	}
	require.Equal(t, []int{3}, strikes("commit.before=error@3"))
	require.Equal(t, []int{3, 4, 5, 6}, strikes("commit.before=error@3-"))
	require.Equal(t, []int{2, 3}, strikes("publish.after=kill, commit.before=enospc@2-3"))
	require.Equal(t, []int{1, 2, 3, 4, 5, 6}, strikes("commit.before=error"))
	require.Equal(t, []int{3, 4, 5, 6}, strikes("commit.before=error@3+1h"))
	handler, err := Parse("handler.search.product.created=error")
	require.NoError(t, err)
	require.ErrorIs(t, handler.Hit("handler.search.product.created"), ErrInjected)
	require.NoError(t, handler.Hit("handler.search.product.updated"))
	require.Empty(t, strikes("commit.after=error"))
	ends, err := Parse("commit.before=error@2+20ms")
	require.NoError(t, err)
	require.NoError(t, ends.Hit("commit.before"))
	require.Error(t, ends.Hit("commit.before"))
	require.Eventually(t, func() bool { return ends.Hit("commit.before") == nil }, time.Minute, time.Millisecond)
	s, err := Parse("ack.before=enospc")
	require.NoError(t, err)
	require.ErrorIs(t, s.Hit("ack.before"), syscall.ENOSPC)
}

func TestMistakesAreNamedTogetherWithWhatThereIs(t *testing.T) {
	_, err := Parse("commit.befor=kill,ack.before=explode,commit.before,publish.before=error@0,publish.after=error@9-3,ack.after=error@1+soon")
	for _, want := range []string{
		`no point is named "commit.befor"; there are commit.before, commit.after,`, `no action is named "explode"; there are kill, error and enospc`,
		`"commit.before": write point=action`, `"0" is no passage`, `"9-3" is no range`, `"1+soon" is no time`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestKillEndsTheProcess(t *testing.T) {
	if os.Getenv("FAILPOINTS_CHILD") != "" {
		s, err := Parse("ack.after=kill@2")
		require.NoError(t, err)
		require.NoError(t, s.Hit("ack.after"))
		_ = s.Hit("ack.after")
		t.Fatal("it lives on")
	}
	child := exec.Command(os.Args[0], "-test.run=^TestKillEndsTheProcess$")
	child.Env = append(os.Environ(), "FAILPOINTS_CHILD=1")
	var exit *exec.ExitError
	require.True(t, errors.As(child.Run(), &exit))
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal())
}
