package faults

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// row is what one fault on one profile showed.
type row struct {
	Fault      string    `json:"fault"`
	Profile    string    `json:"profile"`
	Events     int64     `json:"events"`
	Injections int       `json:"injections"`
	Lost       int64     `json:"lost"`
	Doubled    int64     `json:"doubled"`
	Recovery   float64   `json:"recovery_seconds"` // the longest
	Note       string    `json:"note"`
	Full       bool      `json:"full"`
	At         time.Time `json:"at"`
}

const (
	resultsFile = "../../bin/faults.json" // the latest result of every row, so that rows can be run one by one
	reportFile  = "../../docs/reports/faults.md"
)

// record keeps a row that held. A fault that was not injected shows nothing, so that it fails.
func record(t *testing.T, r row) {
	t.Helper()
	require.Positive(t, r.Injections, "the fault was not injected")
	require.Positive(t, r.Events, "nothing was at work")
	require.Zero(t, r.Lost, "lost")
	require.Zero(t, r.Doubled, "doubled")
	if t.Failed() {
		return
	}
	r.Full, r.At = full(), time.Now().UTC().Truncate(time.Second)
	t.Log(r.line())
	rows := slices.DeleteFunc(results(t), func(old row) bool { return old.Fault == r.Fault && old.Profile == r.Profile && r.Full == old.Full })
	rows = append(rows, r)
	raw, err := json.Marshal(rows, jsontext.WithIndent("\t"))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(resultsFile), 0o755))
	require.NoError(t, os.WriteFile(resultsFile, raw, 0o644))
}

func results(t *testing.T) (rows []row) {
	t.Helper()
	raw, err := os.ReadFile(resultsFile)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &rows))
	return rows
}

func (r row) line() string {
	recovery := "–"
	if r.Recovery > 0 {
		recovery = fmt.Sprintf("%.1f s", r.Recovery)
	}
	counts := "smoke"
	if r.Full {
		counts = "full"
	}
	return fmt.Sprintf("| %s | %s | %s | %d | %d | %d | %d | %s | %s |", r.Fault, r.Profile, counts, r.Events, r.Injections, r.Lost, r.Doubled, recovery, r.Note)
}

const head = "| fault | profile | counts | events | injections | lost | doubled | recovery | |\n|---|---|---|---|---|---|---|---|---|"

// printRows prints the latest row of each fault and profile; a full run writes the report. Where no full run was made yet, the
// report says what the smoke run showed.
func printRows(t *testing.T) {
	rows := results(t)
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.Fault, b.Fault), strings.Compare(a.Profile, b.Profile))
	})
	all := slices.Clone(rows)
	rows = slices.DeleteFunc(rows, func(r row) bool {
		return r.Full != full() && slices.ContainsFunc(all, func(other row) bool {
			return other.Fault == r.Fault && other.Profile == r.Profile && other.Full == full()
		})
	})
	var table strings.Builder
	table.WriteString(head + "\n")
	for _, r := range rows {
		table.WriteString(r.line() + "\n")
	}
	t.Log("\n" + table.String())
	if !full() || len(rows) == 0 {
		return
	}
	text := fmt.Sprintf(`# Faults

What `+"`make test-faults FULL=1`"+` found last: real servers as child processes, faults that were really injected (hits and work in
hand are counted; a fault without either fails), invariants recounted from outside. Lost: accepted events without their effect.
Doubled: effects that happened twice. Recovery: the longest time from the end of the fault until everything was caught up.
Counts: full, or smoke where the full run of the row has not been made on this version. Worker: one service of the suite's own
on gochannel and SQLite; kit: the handler authors' kit with a clock by hand.

%s %s, %d processors shared with other work; %s to %s UTC.

%s`, runtime.GOOS, runtime.Version(), runtime.NumCPU(), slices.MinFunc(rows, earlier).At.Format(time.DateTime), slices.MaxFunc(rows, earlier).At.Format(time.DateTime), table.String())
	require.NoError(t, os.MkdirAll(filepath.Dir(reportFile), 0o755))
	require.NoError(t, os.WriteFile(reportFile, []byte(text), 0o644))
}

func earlier(a, b row) int { return a.At.Compare(b.At) }
