package deploycheck

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

var declared = regexp.MustCompile(`"(viscount_[a-z_]+)",.*\[\]string\{([^}]*)\}`)

// metrics are those that the program has, with their labels, as its source declares them.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune(`", `, r) })
		}
		return err
	}))
	require.Contains(t, found, "viscount_transport_up")
	return found
}

// check parses a query and holds its metrics and labels against those that there are.
func check(t *testing.T, query string, known map[string][]string) {
	t.Helper()
	query = strings.ReplaceAll(query, "$__rate_interval", "5m") // Grafana fills it in
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	require.NoError(t, err, query)
	labels := []string{"instance", "job", "le"}
	var asked []string
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			name := strings.TrimSuffix(n.Name, "_bucket")
			require.Contains(t, known, name, "%s: no such metric", query)
			labels = append(labels, known[name]...)
			for _, m := range n.LabelMatchers {
				if m.Name != model.MetricNameLabel {
					asked = append(asked, m.Name)
				}
			}
		case *parser.AggregateExpr:
			asked = append(asked, n.Grouping...)
		}
		return nil
	})
	for _, label := range asked {
		require.Contains(t, labels, label, "%s: no such label", query)
	}
}

type rule = rulefmt.Rule

// alerts are the alerting rules, as Prometheus reads them.
func alerts(t *testing.T) (rules []rule) {
	t.Helper()
	groups, errs := rulefmt.ParseFile(folder+"/monitoring/alerts.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	for _, group := range groups.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// Prometheus takes the rules, they speak of metrics that exist, and each says what to do.
func TestAlerts(t *testing.T) {
	known := metrics(t)
	names := []string{}
	for _, rule := range alerts(t) {
		check(t, rule.Expr, known)
		require.NotContains(t, names, rule.Alert)
		names = append(names, rule.Alert)
		require.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], rule.Alert)
		require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		require.NotEmpty(t, rule.Annotations["description"], rule.Alert)
	}
	require.NotEmpty(t, names)
}

// The dashboard's queries speak of metrics that exist, and its panels stand side by side on Grafana's 24 columns.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(folder + "/monitoring/dashboard.json")
	require.NoError(t, err)
	var d struct {
		UID           string
		SchemaVersion int
		Panels        []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &d))
	require.NotEmpty(t, d.UID)
	require.NotZero(t, d.SchemaVersion)
	require.NotEmpty(t, d.Panels)
	known := metrics(t)
	taken := map[[2]int]string{}
	for i, panel := range d.Panels {
		require.Equal(t, i+1, panel.ID, panel.Title)
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			check(t, target.Expr, known)
		}
		at := panel.GridPos
		require.LessOrEqual(t, at.X+at.W, 24, panel.Title)
		for x := range at.W {
			for y := range at.H {
				require.Empty(t, taken[[2]int{at.X + x, at.Y + y}], "%s covers another panel", panel.Title)
				taken[[2]int{at.X + x, at.Y + y}] = panel.Title
			}
		}
	}
}
