package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store"
)

// crashed leaves a database as a process does that was killed while it had it open.
func crashed(t *testing.T, dir string) (left string) {
	t.Helper()
	if database == "postgres" {
		open(t, dir, nil)
		_, err := connect(t, postgresOf(t, dir)).Exec("INSERT INTO test.runs (id, began_at) VALUES ('dead', 1)")
		require.NoError(t, err)
		return dir
	}
	st := open(t, dir, nil)
	require.NoError(t, st.Do(t.Context(), note("committed")))
	left = t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(filepath.Join(dir, "test.db"+suffix))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(left, "test.db"+suffix), raw, 0o600))
	}
	return left
}

func TestAnUncleanStopIsNoticedAndAnOrderlyOneIsNot(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, nil)
	require.NoError(t, first.Do(t.Context(), note("one")))
	require.Zero(t, first.Unclean())
	require.NoError(t, first.Close())
	second := open(t, dir, nil)
	require.Zero(t, second.Unclean(), "the first one stopped in order")
	require.NoError(t, second.Do(t.Context(), note("two")))

	began := time.Now().Add(-time.Millisecond)
	next := open(t, crashed(t, t.TempDir()), nil)
	require.WithinRange(t, next.Unclean(), began, time.Now())
}

// TestALivingInstanceIsNotTakenForDead: the row of a run counts only when its lock is free.
func TestALivingInstanceIsNotTakenForDead(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	first := open(t, dir, nil)
	require.NoError(t, first.Do(t.Context(), note("one")))
	require.Zero(t, open(t, dir, nil).Unclean())
	db := connect(t, postgresOf(t, dir))
	_, err := db.Exec("INSERT INTO test.runs (id, began_at) VALUES ('dead', 1)")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !first.Unclean().IsZero() }, 10*time.Second, 10*time.Millisecond, "who lives on hears of it, too")
	var crashes int
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM test.runs WHERE crashed_at IS NOT NULL").Scan(&crashes))
	require.Equal(t, 1, crashes)
}

func TestCrashesOfASubjectAreCountedAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	for n := range 3 {
		st := open(t, dir, nil)
		for range 2 { // again in the same process is no crash
			crashes, err := st.Suspect(t.Context(), "event/1")
			require.NoError(t, err)
			require.Equal(t, n, crashes)
		}
		require.NoError(t, st.Close())
	}
	st := open(t, dir, nil)
	require.NoError(t, st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Acquit(ctx, "event/1") }))
	crashes, err := st.Suspect(t.Context(), "event/1")
	require.NoError(t, err)
	require.Zero(t, crashes)
}
