package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
)

func TestLocalProfileNeedsNothing(t *testing.T) {
	loaded, err := config.Load(config.Source{Services: services()})
	require.NoError(t, err)
	c := loaded.Config
	require.True(t, c.All())
	require.True(t, c.Runs("orders"))
	require.Equal(t, "local", c.Profile)
	require.Equal(t, "gochannel", c.Transport.Driver)
	require.Equal(t, "127.0.0.1:8080", c.HTTP.Listen)
	require.Equal(t, int64(1<<20), c.HTTP.MaxBody)
	require.True(t, c.HTTP.Auth.None())
	require.Equal(t, config.Store{
		Driver: "sqlite", SQLite: config.SQLite{Dir: "./data"}, Postgres: config.Postgres{Migrate: "check"},
		InboxRetention: 720 * time.Hour, OutboxRetention: 0, PruneInterval: 10 * time.Minute,
	}, c.Store)
	require.Equal(t, config.Router{
		KeysInFlight: 512, AttemptTimeout: 30 * time.Second, OnFailure: "hold", FollowsTimeout: 10 * time.Minute, WaitingLimit: 100000,
		Retry: config.Retry{Immediate: 3, Delayed: []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}},
	}, c.Router)
	require.Equal(t, config.Domain{
		ReservationTTL: 15 * time.Minute, DefaultLocation: "warehouse_main", DefaultThreshold: 10, BlockedCustomers: []string{"cust_blocked"}, OrderUpTo: 3,
	}, c.Domain)
	require.Equal(t, config.Notifications{
		Digest: 15 * time.Minute, Email: config.Email{Driver: "folder", From: "First Viscount <no-reply@localhost>", SMTP: config.SMTP{TLS: "starttls"}},
		Webhook: config.Webhook{Timeout: 10 * time.Second}, Staff: config.Staff{Emails: []string{"staff@localhost"}},
	}, c.Notifications)
	require.Equal(t, 25*time.Second, c.DrainTimeout)
}

func TestAProgramWithOneTransportStartsFromItsProfile(t *testing.T) {
	brokers := []string{"VISCOUNT_TRANSPORT_KAFKA_BROKERS=localhost:9092", "VISCOUNT_STORE_DRIVER=sqlite"}
	loaded, err := config.Load(config.Source{Driver: "kafka", Env: brokers, Services: []string{"shipping"}})
	require.NoError(t, err)
	require.Equal(t, "kafka", loaded.Config.Profile)
	require.Equal(t, "kafka", loaded.Config.Transport.Driver)

	loaded, err = config.Load(config.Source{Driver: "gochannel"})
	require.NoError(t, err)
	require.Equal(t, "local", loaded.Config.Profile)

	_, err = config.Load(config.Source{Driver: "kafka", Env: append(brokers, "VISCOUNT_PROFILE=googlecloud")})
	require.EqualError(t, err, `env VISCOUNT_PROFILE: transport.driver: "googlecloud" is not linked into this program; write kafka, or give app.Main another driver`)
}

func TestProfilesLoadWithWhatTheyNeed(t *testing.T) {
	needs := map[string][]string{
		"local":       nil,
		"kafka":       {"VISCOUNT_TRANSPORT_KAFKA_BROKERS=kafka-1:9093,kafka-2:9093", "VISCOUNT_STORE_POSTGRES_URL=postgres://db/viscount"},
		"sql":         {"VISCOUNT_STORE_POSTGRES_URL=postgres://db/viscount"},
		"googlecloud": {"VISCOUNT_TRANSPORT_GOOGLECLOUD_PROJECT=shop", "VISCOUNT_STORE_POSTGRES_URL=postgres://db/viscount"},
	}
	require.ElementsMatch(t, config.Profiles(), slices.Collect(maps.Keys(needs)))
	for profile, env := range needs {
		t.Run(profile, func(t *testing.T) {
			loaded, err := config.Load(config.Source{Profile: profile, Env: env, Services: services()})
			require.NoError(t, err)
			require.Equal(t, profile, loaded.Config.Profile)
			for i := range env {
				_, err := config.Load(config.Source{Profile: profile, Env: slices.Delete(slices.Clone(env), i, i+1)})
				require.Error(t, err, "without %s", env[i])
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	const name, other = "VISCOUNT_ROUTER_KEYS_IN_FLIGHT", "log: { level: debug }\n"
	file := write(t, other+"router:\n  keys_in_flight: 2\n")
	tests := map[string]struct {
		source config.Source
		want   int
		origin string
	}{
		"profile":                 {config.Source{}, 512, "profile local"},
		"file over profile":       {config.Source{File: file}, 2, file + ":3"},
		"file named by env":       {config.Source{Env: []string{"VISCOUNT_CONFIG=" + file}}, 2, file + ":3"},
		"env over file":           {config.Source{File: file, Env: []string{name + "=3"}}, 3, "env " + name},
		"empty env is unset":      {config.Source{File: file, Env: []string{name + "="}}, 2, file + ":3"},
		"flag over env":           {config.Source{File: file, Env: []string{name + "=3"}, Flags: map[string]string{"router.keys_in_flight": "4"}}, 4, "flag --router.keys_in_flight"},
		"the last of env is used": {config.Source{Env: []string{name + "=3", name + "=5"}}, 5, "env " + name},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loaded, err := config.Load(test.source)
			require.NoError(t, err)
			require.Equal(t, test.want, loaded.Config.Router.KeysInFlight)
			require.Equal(t, test.origin, values(loaded)["router.keys_in_flight"].Origin)
		})
	}
}

func TestProfileChoice(t *testing.T) {
	file := write(t, "profile: kafka\ntransport: { kafka: { brokers: localhost:9092 } }\nstore: { postgres: { url: postgres://db/viscount } }\n")
	env := []string{"VISCOUNT_PROFILE=sql"}
	tests := map[string]struct {
		source                  config.Source
		profile, driver, origin string
	}{
		"file": {config.Source{File: file}, "kafka", "kafka", file + ":1"},
		"env":  {config.Source{File: file, Env: env}, "sql", "sql", "env VISCOUNT_PROFILE"},
		"flag": {config.Source{File: file, Env: env, Profile: "local"}, "local", "gochannel", "flag --profile"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			loaded, err := config.Load(test.source)
			require.NoError(t, err)
			require.Equal(t, test.profile, loaded.Config.Profile)
			require.Equal(t, test.driver, loaded.Config.Transport.Driver)
			require.Equal(t, test.origin, values(loaded)["profile"].Origin)
		})
	}
}

// TestSketch loads a production file with every shape of value that YAML may have.
func TestSketch(t *testing.T) {
	file := write(t, `
profile: kafka
services: [inventory]
transport:
  kafka:
    brokers: [kafka-1:9093, kafka-2:9093]
    sasl: { mechanism: SCRAM-SHA-512, username: inventory, password_file: testdata/secret }
    topics: { provision: false, partitions: 12, replication: 3 }
store:
  postgres: { url: "postgres://viscount@db:5432/viscount?sslmode=verify-full", password_file: testdata/secret, migrate: apply }
  outbox_retention: 48h
http:
  listen: 0.0.0.0:8080
  auth: { tokens_file: testdata/tokens.yaml }
  peers: { orders: "http://orders:8080", catalog: ["http://catalog-1:8080", "http://catalog-2:8080"] }
`)
	loaded, err := config.Load(config.Source{File: file, Services: services()})
	require.NoError(t, err)
	c := loaded.Config
	require.False(t, c.All())
	require.True(t, c.Runs("inventory"))
	require.False(t, c.Runs("orders"))
	require.Equal(t, []string{"kafka-1:9093", "kafka-2:9093"}, c.Transport.Kafka.Brokers)
	require.True(t, c.Transport.Kafka.TLS.Enabled)
	require.Equal(t, "from-a-file", c.Transport.Kafka.SASL.Password)
	require.Equal(t, "from-a-file", c.Store.Postgres.Password)
	require.Equal(t, 48*time.Hour, c.Store.OutboxRetention)
	require.Equal(t, config.Auth{TokensFile: "testdata/tokens.yaml"}, c.HTTP.Auth)
	want := map[string][]string{"orders": {"http://orders:8080"}, "catalog": {"http://catalog-1:8080", "http://catalog-2:8080"}}
	require.Equal(t, want, c.HTTP.Peers)

	env := []string{"VISCOUNT_HTTP_PEERS=" + values(loaded)["http.peers"].Value}
	again, err := config.Load(config.Source{Env: env, Services: services()})
	require.NoError(t, err, "what print shows is what the environment takes")
	require.Equal(t, want, again.Config.HTTP.Peers)
}

func TestAWordTakesAGroupBack(t *testing.T) {
	file := write(t, "http: { auth: { tokens_file: testdata/tokens.yaml } }\n")
	loaded, err := config.Load(config.Source{File: file, Env: []string{"VISCOUNT_HTTP_AUTH=none"}})
	require.NoError(t, err)
	require.True(t, loaded.Config.HTTP.Auth.None())
	require.Equal(t, config.Value{Path: "http.auth", Value: "none", Origin: "env VISCOUNT_HTTP_AUTH"}, values(loaded)["http.auth"])
}

func TestSecrets(t *testing.T) {
	file := write(t, "store: { postgres: { password: hunter2 } }\n")
	name := "VISCOUNT_STORE_POSTGRES_PASSWORD"
	tests := map[string]struct {
		env          []string
		want, origin string
	}{
		"value":            {nil, "hunter2", file + ":1"},
		"env over file":    {[]string{name + "=hunter3"}, "hunter3", "env " + name},
		"env names a file": {[]string{name + "_FILE=testdata/secret"}, "from-a-file", "env " + name + "_FILE (testdata/secret)"},
	}
	for label, test := range tests {
		t.Run(label, func(t *testing.T) {
			loaded, err := config.Load(config.Source{File: file, Env: test.env})
			require.NoError(t, err)
			require.Equal(t, test.want, loaded.Config.Store.Postgres.Password)
			require.Equal(t, config.Value{Path: "store.postgres.password", Value: "[redacted]", Origin: test.origin}, values(loaded)["store.postgres.password"])
		})
	}
}

func TestValuesRedactURLs(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://v:hunter2@db/viscount":                  "postgres://v:[redacted]@db/viscount",
		"postgres://v:hun@ter/2@db/viscount":                "postgres://v:[redacted]@db/viscount",
		"postgres://v@db/viscount?password=hunter2&a=b":     "postgres://v@db/viscount?password=[redacted]&a=b",
		"postgres://v@db:5432/viscount?sslmode=verify-full": "postgres://v@db:5432/viscount?sslmode=verify-full",
	} {
		loaded, err := config.Load(config.Source{Env: []string{"VISCOUNT_STORE_POSTGRES_URL=" + url}})
		require.NoError(t, err)
		require.Equal(t, want, values(loaded)["store.postgres.url"].Value)
	}
}

func TestEnvironmentAndFlagProblems(t *testing.T) {
	tests := map[string]struct {
		env   []string
		flags map[string]string
		want  string
	}{
		"typo":                {env: []string{"VISCOUNT_LOG_LEVLE=debug"}, want: "env VISCOUNT_LOG_LEVLE: names no key; did you mean VISCOUNT_LOG_LEVEL?"},
		"no such key":         {env: []string{"VISCOUNT_X=hunter2"}, want: "env VISCOUNT_X: names no key; see viscount config print for the keys"},
		"wrong type":          {env: []string{"VISCOUNT_DRAIN_TIMEOUT=soon"}, want: `env VISCOUNT_DRAIN_TIMEOUT: drain_timeout: "soon" is not a duration; write a number with its unit, such as 30s or 15m`},
		"failpoints":          {env: []string{"VISCOUNT_FAILPOINTS=commit.before=kill@3"}, want: "env VISCOUNT_FAILPOINTS: debug.failpoints: is false; set it to true, or unset the variable"},
		"secret twice":        {env: []string{"VISCOUNT_STORE_POSTGRES_PASSWORD=hunter2", "VISCOUNT_STORE_POSTGRES_PASSWORD_FILE=testdata/secret"}, want: "env VISCOUNT_STORE_POSTGRES_PASSWORD_FILE: store.postgres.password_file: is given both as a value and as a file; keep one of them"},
		"flag":                {flags: map[string]string{"http.listen": "0.0.0.0:80"}, want: `flag --listen: http.listen: "0.0.0.0:80" is outside loopback, and http.auth is none; set http.auth.tokens_file, or listen on 127.0.0.1`},
		"empty flag":          {flags: map[string]string{"services": ""}, want: "flag --services: services: empty; write one: the services that this process runs: all, or a list"},
		"unknown flag":        {flags: map[string]string{"a.b": "c"}, want: "flag --a.b: a.b: unknown key; see viscount config print for the keys"},
		"password in a URL":   {env: []string{"VISCOUNT_HTTP_PEERS=orders=ftp://u:hunter2@orders"}, want: `env VISCOUNT_HTTP_PEERS: http.peers.orders: "ftp://u:[redacted]@orders" is not a base URL; write one such as http://inventory:8080`},
		"clipped password":    {env: []string{"VISCOUNT_HTTP_PEERS=orders=ftp://u:hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2@orders"}, want: `env VISCOUNT_HTTP_PEERS: http.peers.orders: "ftp://u:[redacted]@orders" is not a base URL; write one such as http://inventory:8080`},
		"clipped, wrong type": {env: []string{"VISCOUNT_DRAIN_TIMEOUT=ftp://u:hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2@orders"}, want: `env VISCOUNT_DRAIN_TIMEOUT: drain_timeout: "ftp://u:[redacted]@orders" is not a duration; write a number with its unit, such as 30s or 15m`},
		"peer without name":   {env: []string{"VISCOUNT_HTTP_PEERS=http://orders:8080"}, want: `env VISCOUNT_HTTP_PEERS: http.peers: "http://orders:8080" has no name; write name=value, separated by commas`},
		"list in brackets":    {env: []string{"VISCOUNT_ROUTER_RETRY_DELAYED=[1s, 2s]"}, want: `env VISCOUNT_ROUTER_RETRY_DELAYED: router.retry.delayed: "[1s, 2s]" has brackets; a list is written with commas: 1s,2s`},
		"missing file":        {env: []string{"VISCOUNT_CONFIG=testdata/absent.yaml"}, want: "testdata/absent.yaml: cannot be read: no such file or directory; name a YAML file"},
		"file is a folder":    {env: []string{"VISCOUNT_CONFIG=testdata"}, want: "testdata: cannot be read: is a directory; name a YAML file"},
		"a link, but no pod":  {env: []string{"VISCOUNT_SERVICE_HOST=10.0.0.1"}, want: "env VISCOUNT_SERVICE_HOST: names no key; did you mean VISCOUNT_SERVICES?"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(config.Source{Env: test.env, Flags: test.flags})
			require.EqualError(t, err, test.want)
		})
	}
}

func TestVariablesThatAreNoKeys(t *testing.T) {
	_, err := config.Load(config.Source{Env: []string{
		"VISCOUNT_URL=http://127.0.0.1:8080", "VISCOUNT_TOKEN=t", "VISCOUNT_TOKEN_FILE=f", "VISCOUNT_DEBUG_FAILPOINTS=true", "VISCOUNT_FAILPOINTS=a=b",
		"VISCOUNT_NOTHING=", "PATH=/bin", "VISCOUNT", "KUBERNETES_SERVICE_HOST=10.0.0.1", "VISCOUNT_INVENTORY_SERVICE_HOST=10.0.0.2",
		"VISCOUNT_INVENTORY_SERVICE_PORT_HTTP=80", "VISCOUNT_PORT=tcp://10.0.0.2:80", "VISCOUNT_PORT_80_TCP_ADDR=10.0.0.2",
	}})
	require.NoError(t, err)
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "store:\n", "store:\n  sqlite:\n"} {
		_, err := config.Load(config.Source{File: write(t, text)})
		require.NoError(t, err, "%q", text)
	}
}

func TestSyntaxErrorsRepeatNoSecret(t *testing.T) {
	file := write(t, "store:\n  postgres:\n    password: >hunter2\n")
	_, err := config.Load(config.Source{File: file})
	require.EqualError(t, err, file+":3: not valid YAML; invalid header option: [redacted]")
}

func TestLargeFileIsRefused(t *testing.T) {
	_, err := config.Load(config.Source{File: write(t, string(make([]byte, 1<<20)))})
	require.ErrorContains(t, err, "longer than 256 KiB")
}

func values(loaded *config.Loaded) map[string]config.Value {
	found := map[string]config.Value{}
	for _, v := range loaded.Values {
		found[v.Path] = v
	}
	return found
}

func write(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}
