package deploycheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
)

// scraped gives series to a query, one after the other.
type scraped struct {
	storage.SeriesSet
	left []storage.Series
}

func (s *scraped) Next() bool {
	if len(s.left) > 0 {
		s.left = s.left[1:]
	}
	return len(s.left) > 0
}

func (s *scraped) At() storage.Series { return s.left[0] }

func (*scraped) Err() error { return nil }

func (*scraped) Warnings() annotations.Annotations { return nil }

// scrapes are series with a sample a minute, in Prometheus' notation for tests.
func scrapes(t *testing.T, series []string) storage.Queryable {
	t.Helper()
	var all []promql.Series
	for _, text := range series {
		metric, values, err := parser.NewParser(parser.Options{}).ParseSeriesDesc(text)
		require.NoError(t, err, text)
		one := promql.Series{Metric: metric}
		for minute, value := range values {
			if !value.Omitted {
				one.Floats = append(one.Floats, promql.FPoint{T: (time.Duration(minute) * time.Minute).Milliseconds(), F: value.Value})
			}
		}
		all = append(all, one)
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		found := &scraped{left: []storage.Series{nil}} // Next comes before the first
		for _, one := range all {
			if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(one.Metric.Get(m.Name)) }) {
				found.left = append(found.left, promql.NewStorageSeries(one))
			}
		}
		return found
	}}}
}

// firing are the services of which an alert has spoken for as long as it waits, after half an hour of the series given.
func firing(t *testing.T, alert string, series ...string) []string {
	t.Helper()
	rules := alerts(t)
	i := slices.IndexFunc(rules, func(r rule) bool { return r.Alert == alert })
	require.NotEqual(t, -1, i, "no alert %s", alert)
	data := scrapes(t, series)
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 10_000, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	minutes := map[string]int{}
	waits := int(time.Duration(rules[i].For).Minutes())
	for m := range waits + 1 {
		query, err := engine.NewInstantQuery(t.Context(), data, nil, rules[i].Expr, time.Unix(0, 0).Add(time.Duration(30-m)*time.Minute))
		require.NoError(t, err)
		found, err := query.Exec(t.Context()).Vector()
		require.NoError(t, err)
		for _, one := range found {
			minutes[one.Metric.Get("service")]++
		}
		query.Close()
	}
	services := []string{}
	for service, n := range minutes {
		if n > waits {
			services = append(services, service)
		}
	}
	slices.Sort(services)
	return services
}

// lag are the series of an instance's consumer.
func lag(service, instance, events, seconds string) []string {
	at := fmt.Sprintf(`{service="%s",topic="t",instance="%s"} `, service, instance)
	return []string{"viscount_lag_events" + at + events, "viscount_lag_seconds" + at + seconds}
}

// A service of which no process is left has no series that could be too high: that there are none must alarm, for each that
// the manifests deploy.
func TestAServiceThatDoesNotRunAlarms(t *testing.T) {
	deployed := []string{}
	for name := range build(t).deployments {
		deployed = append(deployed, strings.TrimPrefix(name, "viscount-"))
	}
	running := func(without, last string) (series []string) {
		for _, service := range deployed {
			for _, instance := range []string{"a", "b"} {
				events := "0x30"
				if service == without {
					events = last
				}
				series = append(series, lag(service, instance, events, events)...)
			}
		}
		return series
	}
	const alert = "ViscountServiceDoesNotRun"
	require.Empty(t, firing(t, alert, running("", "")...))
	for _, service := range deployed {
		require.Equal(t, []string{service}, firing(t, alert, running(service, "0x10 stale")...))
	}
	require.Empty(t, firing(t, alert, running("orders", "0x28 stale")...), "it is started again")
	require.Empty(t, firing(t, alert, append(running("orders", "0x10 stale"), lag("orders", "c", "_x20 0x10", "_x20 0x10")...)...), "another process took its place")
}

// A consumer that takes nothing from its transport knows no age of what waits there.
func TestAConsumerThatTakesNothingAlarms(t *testing.T) {
	const alert = "ViscountConsumerTakesNothing"
	stands := lag("orders", "a", "5x30", "0x30")
	require.Equal(t, []string{"orders"}, firing(t, alert, append(stands, lag("orders", "b", "7x30", "3x30")...)...), "beside one that works")
	require.Empty(t, firing(t, "ViscountConsumerLags", stands...))
	require.Equal(t, []string{"orders"}, firing(t, "ViscountConsumerLags", lag("orders", "a", "5x30", "0+60x30")...))
	require.Empty(t, firing(t, alert, lag("orders", "a", "5x30", "2x30")...), "busy")
	require.Empty(t, firing(t, alert, lag("orders", "a", "0x30", "0x30")...), "nothing waits")
	require.Empty(t, firing(t, alert, lag("orders", "a", "5x20 0 5x20", "0x40")...), "it took them")
}
