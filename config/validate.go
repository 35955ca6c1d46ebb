package config

import (
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// validate checks the values together. Every problem names the place that set the value.
func (l *loader) validate(services []string) {
	c := &l.config
	l.oneOf("transport.driver", c.Transport.Driver, "gochannel", "kafka", "sql", "googlecloud")
	l.oneOf("store.driver", c.Store.Driver, "sqlite", "postgres")
	l.oneOf("router.on_failure", c.Router.OnFailure, "hold", "release")
	l.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	l.oneOf("log.format", c.Log.Format, "auto", "text", "json")
	l.oneOf("http.auth", c.HTTP.Auth, "none")
	for key, d := range map[string]time.Duration{
		"router.attempt_timeout": c.Router.AttemptTimeout, "router.follows_timeout": c.Router.FollowsTimeout, "store.inbox_retention": c.Store.InboxRetention,
		"store.prune_interval": c.Store.PruneInterval, "domain.reservation_ttl": c.Domain.ReservationTTL, "drain_timeout": c.DrainTimeout,
	} {
		if d <= 0 {
			l.wrong(key, "must be longer than 0")
		}
	}
	for _, d := range c.Router.Retry.Delayed {
		if d <= 0 {
			l.wrong("router.retry.delayed", "each delay must be longer than 0")
		}
	}
	for key, n := range map[string]int64{"router.keys_in_flight": int64(c.Router.KeysInFlight), "router.waiting_limit": int64(c.Router.WaitingLimit), "http.max_body": c.HTTP.MaxBody} {
		if n < 1 {
			l.wrong(key, "must be at least 1")
		}
	}
	if c.Router.Retry.Immediate < 0 {
		l.wrong("router.retry.immediate", "must not be negative")
	}
	for key, share := range map[string]float64{"providers.payments.failure_rate": c.Providers.Payments.FailureRate, "providers.fulfillment.failure_rate": c.Providers.Fulfillment.FailureRate, "tracing.sample_ratio": c.Tracing.SampleRatio} {
		if share < 0 || share > 1 {
			l.wrong(key, "must be between 0 and 1")
		}
	}
	if c.Domain.DefaultLocation == "" {
		l.wrong("domain.default_location", "must not be empty")
	}
	l.validateListen(c)
	l.validateServices(c, services)
	slices.SortStableFunc(l.problems.All, func(a, b Problem) int { return strings.Compare(a.Where, b.Where) })
}

func (l *loader) validateListen(c *Config) {
	host, _, err := net.SplitHostPort(c.HTTP.Listen)
	if err != nil {
		l.wrong("http.listen", "must be HOST:PORT such as 127.0.0.1:8080")
		return
	}
	ip := net.ParseIP(host)
	if c.HTTP.Auth == "none" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		l.wrong("http.listen", "without authentication (http.auth: none) only a loopback address is allowed; listen on 127.0.0.1")
	}
}

func (l *loader) validateServices(c *Config, known []string) {
	if len(c.Services) == 0 {
		l.wrong("services", "must be all or a list of services")
	}
	if c.Services.All() {
		return
	}
	for _, name := range c.Services {
		if len(known) > 0 && !slices.Contains(known, name) {
			l.wrong("services", "%q is no service; choose from %s", name, strings.Join(known, ", "))
		}
	}
	if c.Transport.Driver != "gochannel" || len(known) == 0 {
		return
	}
	for _, name := range known {
		if !slices.Contains(c.Services, name) {
			l.wrong("services", "the gochannel transport stays inside one process, so that all services must run in it: use all, or another transport.driver")
			return
		}
	}
}

func (l *loader) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		l.wrong(key, "must be one of %s, is %q", strings.Join(allowed, ", "), clip(value))
	}
}

func (l *loader) wrong(key, format string, args ...any) {
	where := l.origins[key]
	if where == "" {
		where = "default"
	}
	l.problems.add(where, key, format, args...)
}

func lookupEnv(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(env[i], "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}

func envValue(env []string, name string) string {
	value, _ := lookupEnv(env, name)
	return value
}

func errorLine(err error) int {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil {
		return syntax.Token.Position.Line
	}
	return 1
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// nearest finds the name that was probably meant: at most a third of its letters differ.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+1
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		previous := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := previous
			if a[i-1] != b[j-1] {
				cost++
			}
			previous = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
