package config

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnvNamesDoNotCollide(t *testing.T) {
	require.Equal(t, "VISCOUNT_TRANSPORT_KAFKA_BROKERS", EnvName("transport.kafka.brokers"))
	taken := map[string]string{}
	for _, name := range otherVariables() {
		taken[name] = "the command line"
	}
	for _, key := range Keys() {
		require.Empty(t, taken[key.Env], "%s and %s", key.Path, taken[key.Env])
		require.False(t, serviceLinks.MatchString(key.Env), "%s looks like a link to a Kubernetes service", key.Env)
		taken[key.Env] = key.Path
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	flags := map[string]bool{}
	for _, key := range Keys() {
		require.NotEmpty(t, key.Doc, key.Path)
		require.NotEmpty(t, key.Type, key.Path)
		require.False(t, strings.HasSuffix(key.Path, ".") || strings.Contains(key.Path, ".."), "%s: a field without a yaml tag", key.Path)
		if key.Flag != "" {
			require.False(t, flags[key.Flag], "two keys have the flag %s", key.Flag)
			flags[key.Flag] = true
		}
	}
}

func TestKeysHaveDefaults(t *testing.T) {
	defaults := map[string]string{}
	for _, key := range Keys() {
		defaults[key.Path] = key.Default
	}
	for path, want := range map[string]string{
		"services": "all", "http.auth": "none", "store.inbox_retention": "720h", "store.outbox_retention": "contract",
		"router.retry.delayed": "10s,1m,10m", "providers.payments.failure_rate": "0", "transport.kafka.brokers": "",
	} {
		require.Equal(t, want, defaults[path], path)
	}
}

// TestLocalProfileIsComplete: numbers, choices and switches have no hidden default; what it leaves out is text that is
// empty unless given.
func TestLocalProfileIsComplete(t *testing.T) {
	l := newLoader(Source{})
	l.applyProfile(defaultProfile)
	require.Empty(t, l.problems.List)
	for _, f := range l.fields {
		kind := l.value(f).Kind()
		if _, set := l.origins[f.Path]; set || kind == reflect.Map || f.tag.Get("oneof") == "" && (kind == reflect.String || kind == reflect.Slice) {
			continue
		}
		t.Errorf("local.yaml says nothing of %s", f.Path)
	}
}

func TestBoundsAreNumbers(t *testing.T) {
	for _, f := range newLoader(Source{}).fields {
		for _, tag := range []string{"min", "max"} {
			if bound, ok := f.tag.Lookup(tag); ok {
				_, err := strconv.ParseFloat(bound, 64)
				require.NoError(t, err, f.Path)
			}
		}
	}
}
