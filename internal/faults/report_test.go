package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// row is what one fault on one profile showed.
type row struct {
	Fault      string
	Profile    string
	Events     int64
	Injections int
	Lost       int64
	Doubled    int64
	Recovery   float64 // the longest, in seconds
	Note       string
}

const reportFile = "../../docs/reports/faults.md"

var shown []string // lines of this run

// record keeps a row that held: a full one in the report at once, so that rows can be run one by one and a run that is broken
// off loses nothing. A fault that was not injected shows nothing, so that it fails.
func record(t *testing.T, r row) {
	t.Helper()
	require.Positive(t, r.Injections, "the fault was not injected")
	require.Positive(t, r.Events, "nothing was at work")
	require.Zero(t, r.Lost, "lost")
	require.Zero(t, r.Doubled, "doubled")
	if t.Failed() {
		return
	}
	t.Log(r.line())
	shown = append(shown, r.line())
	if full() {
		writeReport(t, r)
	}
}

// name is how a row begins, by which the next run finds it.
func (r row) name() string { return fmt.Sprintf("| %s | %s |", r.Fault, r.Profile) }

func (r row) line() string {
	recovery, counts := "–", "smoke"
	if r.Recovery > 0 {
		recovery = fmt.Sprintf("%.1f s", r.Recovery)
	}
	if full() {
		counts = "full"
	}
	return fmt.Sprintf("%s %s | %s | %s | %d | %d | %d | %d | %s | %s |", r.name(), counts, time.Now().UTC().Format("2006-01-02 15:04"), commit, r.Events, r.Injections, r.Lost, r.Doubled, recovery, r.Note)
}

const head = "| fault | profile | counts | run (UTC) | commit | events | injections | lost | doubled | recovery | |\n|---|---|---|---|---|---|---|---|---|---|---|\n"

// commit is the version that runs: rows of a report may be of several. The report itself is no part of it.
var commit string

// findCommit asks git before anything runs.
func findCommit() string {
	short, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "–" // not in a checkout
	}
	changed, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(exclude,top)docs/reports/faults.md").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(short)) + "-dirty"
	}
	return strings.TrimSpace(string(short))
}

// printRows prints the rows of this run.
func printRows(t *testing.T) {
	t.Log("\n" + head + strings.Join(shown, "\n"))
}

// writeReport puts a row in the place of its last run and leaves the others as they are.
func writeReport(t *testing.T, r row) {
	t.Helper()
	old, err := os.ReadFile(reportFile)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	lines := []string{r.line()}
	_, table, _ := strings.Cut(string(old), head)
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			break
		}
		if !strings.HasPrefix(line, r.name()) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	var red strings.Builder
	for _, f := range suite {
		fmt.Fprintf(&red, "| %s | %s |\n", f.name, f.red)
	}
	text := fmt.Sprintf(`# Faults

What `+"`make test-faults FULL=1`"+` found last: real servers as child processes, faults that were really injected (hits and work in
hand are counted; a fault without either fails), invariants recounted from outside. Lost: accepted events without their effect.
Doubled: effects that happened twice. Recovery: the longest time from the end of the fault until everything was caught up, the start
of what was killed or stopped included; while orders go on, that is when nothing in hand is older than two seconds; of a service
killed at random, when it is ready again. Where shoppers order, lost and doubled are 0 because every invariant of theirs held, else the
row would not be here. Commit: the version that the row ran on, -dirty with changes of its own; – is older than this column. Worker:
one service of the suite's own on gochannel and SQLite; kit: the handler authors' kit with a clock by hand. PostgreSQL runs without
flushing (fsync=off): kill -9 takes nothing from what the kernel has, but rates are higher than on a disk. Rows of the commits
6bed074, 27939fa and 665aa48 ran with an earlier form of the outbox's queue on PostgreSQL.

%s %s, %d processors shared with other work.

%s%s
## Seen red

What was taken out of the source when a row failed for it.

| fault | without |
|---|---|
%s`, runtime.GOOS, runtime.Version(), runtime.NumCPU(), head, strings.Join(lines, "\n")+"\n", red.String())
	require.NoError(t, os.MkdirAll(filepath.Dir(reportFile), 0o755))
	require.NoError(t, os.WriteFile(reportFile, []byte(text), 0o644))
}
