package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// report is a run's results, for people and as JSON.
type report struct {
	Date     time.Time    `json:"date"`
	Revision string       `json:"revision,omitempty"`
	Go       string       `json:"go"`
	CPUs     int          `json:"cpus"`
	Rounds   int          `json:"rounds"`
	Seconds  float64      `json:"seconds"`
	Cells    []cellReport `json:"cells"`
}

type cellReport struct {
	Name        string             `json:"name"`
	Title       string             `json:"title"`
	Against     string             `json:"against"`
	Target      float64            `json:"target"`
	Ratio       float64            `json:"ratio,omitempty"` // of medians
	Verdict     string             `json:"verdict"`         // ok, short, missing, failed
	Reason      string             `json:"reason,omitempty"`
	Contestants []contestantReport `json:"contestants,omitempty"`
}

type contestantReport struct {
	Name    string    `json:"name"`
	Median  float64   `json:"median_per_second"`
	Samples []float64 `json:"samples_per_second"`
}

func newReport(o options, results []result) report {
	r := report{Date: time.Now().UTC(), Revision: revision(), Go: runtime.Version(), CPUs: runtime.NumCPU(), Rounds: o.rounds, Seconds: o.seconds}
	for i := range results {
		r.Cells = append(r.Cells, reportOf(&results[i]))
	}
	return r
}

func reportOf(r *result) cellReport {
	c := cellReport{Name: r.cell.name, Title: r.cell.title, Against: r.cell.against, Target: r.cell.target, Ratio: r.ratio()}
	switch {
	case r.cell.missing != "":
		c.Verdict, c.Reason = "missing", r.cell.missing
	case r.err != nil:
		c.Verdict, c.Reason = "failed", r.err.Error()
	case c.Ratio == 0:
		c.Verdict = "not compared"
	case c.Ratio < c.Target:
		c.Verdict = "short"
	default:
		c.Verdict = "ok"
	}
	for _, one := range r.cell.contestants {
		if samples := r.samples[one.name]; len(samples) > 0 {
			c.Contestants = append(c.Contestants, contestantReport{one.name, median(samples), samples})
		}
	}
	return c
}

func revision() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// print writes the table: a line per contestant, with the ratio of ours to it.
func (r report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %d CPUs, %s, %d rounds\n\n", r.Date.Format(time.DateOnly), r.CPUs, r.Go, r.Rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CELL\tCONTESTANT\tMEDIAN/S\tLOWEST–HIGHEST\tOURS IS\tTARGET\t")
	for _, c := range r.Cells {
		name := c.Name
		if len(c.Contestants) == 0 {
			fmt.Fprintf(t, "%s\t–\t\t\t\t≥ %g×\t%s: %s\n", name, c.Target, c.Verdict, c.Reason)
		}
		base := 0.0
		for _, one := range c.Contestants {
			ratio, target := "", ""
			switch {
			case one.Name == ours:
				base = one.Median
			case base > 0:
				ratio = times(base / one.Median)
			}
			if one.Name == c.Against {
				target = fmt.Sprintf("≥ %g×\t%s", c.Target, c.Verdict)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s–%s\t%s\t%s\n", name, one.Name, thousands(one.Median), thousands(slices.Min(one.Samples)), thousands(slices.Max(one.Samples)), ratio, target)
			name = ""
		}
		if c.Verdict == "failed" {
			fmt.Fprintf(t, "\tfailed: %s\n", c.Reason)
		}
	}
	_ = t.Flush() // standard output
	fmt.Fprintln(w)
	for _, c := range r.Cells {
		fmt.Fprintf(w, "%-16s %s\n", c.Name, c.Title)
	}
}

func times(ratio float64) string {
	if ratio >= 10 {
		return fmt.Sprintf("%.0f×", ratio)
	}
	return fmt.Sprintf("%.2f×", ratio)
}

func thousands(f float64) string {
	digits := strconv.Itoa(int(f + 0.5))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func (r report) save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
