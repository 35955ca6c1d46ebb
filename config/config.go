// Package config holds the settings of a viscount process: plain structs, the four profiles they start from, and the strict
// reading of YAML, environment and flags that fills them. Every problem is reported together, each with its place and its
// remedy. It opens no connection, and imports no other folder of the project.
//
// The struct is the single source: a field's tags name its key (yaml), its meaning (doc), its flag, the values it
// accepts (oneof, min, max, required), the word that stands for its zero value (zero) and whether it is a secret. A duration
// is positive unless min says otherwise. Defaults stand in local.yaml; the other profiles say what differs from it.
package config

import (
	"slices"
	"time"
)

// AllServices in Config.Services stands for every service of the platform.
const AllServices = "all"

// Config is everything that an operator can set. The zero value is not usable; Load makes one.
type Config struct {
	Profile       string        `yaml:"profile" flag:"profile" oneof:"local kafka sql googlecloud" doc:"the profile that every other key starts from"`
	Services      []string      `yaml:"services" required:"true" flag:"services" doc:"the services that this process runs: all, or a list"`
	Transport     Transport     `yaml:"transport"`
	Store         Store         `yaml:"store"`
	HTTP          HTTP          `yaml:"http"`
	Router        Router        `yaml:"router"`
	Domain        Domain        `yaml:"domain"`
	Providers     Providers     `yaml:"providers"`
	Notifications Notifications `yaml:"notifications"`
	Procurement   Procurement   `yaml:"procurement"`
	Tracing       Tracing       `yaml:"tracing"`
	Log           Log           `yaml:"log"`
	Debug         Debug         `yaml:"debug"`
	DrainTimeout  time.Duration `yaml:"drain_timeout" doc:"how long a stopping process waits for work in flight"`
}

// All tells whether this process runs every service.
func (c Config) All() bool { return slices.Equal(c.Services, []string{AllServices}) }

// Runs tells whether this process runs the service.
func (c Config) Runs(service string) bool { return c.All() || slices.Contains(c.Services, service) }

// Transport says how events travel between services.
type Transport struct {
	Driver         string      `yaml:"driver" oneof:"gochannel kafka sql googlecloud" doc:"what carries events between services"`
	ConsumerPrefix string      `yaml:"consumer_prefix" required:"true" doc:"what consumer groups and subscriptions are named by: {prefix}-{service}"`
	Kafka          Kafka       `yaml:"kafka"`
	SQL            SQL         `yaml:"sql"`
	GoogleCloud    GoogleCloud `yaml:"googlecloud"`
}

// Kafka is the Apache Kafka transport.
type Kafka struct {
	Brokers  []string    `yaml:"brokers" doc:"brokers to start from, each host:port"`
	Insecure bool        `yaml:"insecure" doc:"allows connections without TLS to brokers outside loopback"`
	TLS      TLS         `yaml:"tls"`
	SASL     SASL        `yaml:"sasl"`
	Topics   KafkaTopics `yaml:"topics"`
}

// TLS of a client connection. Without a CA file the system's roots are trusted.
type TLS struct {
	Enabled  bool   `yaml:"enabled" doc:"encrypts the connections"`
	CAFile   string `yaml:"ca_file" doc:"PEM file of the authorities to trust; empty: the system's"`
	CertFile string `yaml:"cert_file" doc:"PEM file of this client's certificate; empty: none"`
	KeyFile  string `yaml:"key_file" doc:"PEM file of this client's private key"`
}

// SASL is how this process proves who it is to a Kafka broker.
type SASL struct {
	Mechanism string `yaml:"mechanism" zero:"none" oneof:"PLAIN SCRAM-SHA-256 SCRAM-SHA-512" doc:"how this process authenticates to the brokers"`
	Username  string `yaml:"username" doc:"user to authenticate as"`
	Password  string `yaml:"password" secret:"true" doc:"password of that user"`
}

// KafkaTopics says whether and how topics are created.
type KafkaTopics struct {
	Provision   bool `yaml:"provision" doc:"creates missing topics at start; otherwise: viscount topics apply"`
	Partitions  int  `yaml:"partitions" min:"1" doc:"partitions of a new topic"`
	Replication int  `yaml:"replication" min:"1" max:"32767" doc:"replicas of a new topic's partitions"`
}

// SQL is the transport over PostgreSQL tables.
type SQL struct {
	URL      string `yaml:"url" doc:"PostgreSQL database that carries the events; empty: the one of store.postgres"`
	Password string `yaml:"password" secret:"true" doc:"password for transport.sql.url"`
}

// EventDatabase is where the transport over tables keeps its events: the store's database, unless it has one of its own.
func (c Config) EventDatabase() SQL {
	if c.Transport.SQL.URL == "" {
		return SQL{URL: c.Store.Postgres.URL, Password: c.Store.Postgres.Password}
	}
	return c.Transport.SQL
}

// GoogleCloud is the Google Cloud Pub/Sub transport.
type GoogleCloud struct {
	Project         string `yaml:"project" doc:"Google Cloud project that owns the topics"`
	CredentialsFile string `yaml:"credentials_file" doc:"JSON file of a service account; empty: the environment's default credentials"`
	Endpoint        string `yaml:"endpoint" doc:"host:port of a Pub/Sub emulator; empty: Google's service"`
}

// Store is the database of each service.
type Store struct {
	Driver          string        `yaml:"driver" oneof:"sqlite postgres" doc:"database of the services"`
	SQLite          SQLite        `yaml:"sqlite"`
	Postgres        Postgres      `yaml:"postgres"`
	InboxRetention  time.Duration `yaml:"inbox_retention" doc:"how long handled events are remembered, so that their duplicates are recognised"`
	OutboxRetention time.Duration `yaml:"outbox_retention" zero:"contract" doc:"how long published events stay in the outbox, which keeps recorded events where the transport's topics do not; contract (zero): as long as each event's contract says"`
	PruneInterval   time.Duration `yaml:"prune_interval" doc:"pause between two rounds of pruning"`
}

// SQLite keeps one file per service.
type SQLite struct {
	Dir string `yaml:"dir" required:"true" flag:"data-dir" doc:"folder of the database files, one per service; made if missing"`
}

// Postgres keeps one schema per service.
type Postgres struct {
	URL      string `yaml:"url" doc:"database of the services, postgres://user@host:5432/name"`
	Password string `yaml:"password" secret:"true" doc:"password for store.postgres.url"`
	Migrate  string `yaml:"migrate" oneof:"check apply" doc:"what a start does about missing migrations: refuse, or apply them"`
}

// HTTP is the server of the API.
type HTTP struct {
	Listen    string              `yaml:"listen" required:"true" flag:"listen" doc:"address that the API listens on, host:port; port 0 picks a free one"`
	MaxBody   int64               `yaml:"max_body" min:"1024" doc:"largest request body, in bytes"`
	Auth      Auth                `yaml:"auth" zero:"none" doc:"who may call the API: none (loopback only), or tokens_file"`
	Peers     map[string][]string `yaml:"peers" doc:"base URLs of the processes that run the other services"`
	PeerToken string              `yaml:"peer_token" secret:"true" doc:"token of a viewer with which a new service reads at its peers what was recorded before it; empty: none, as with http.auth none"`
}

// Auth says who may call the API. The zero value lets everybody in, which Load accepts on loopback only.
type Auth struct {
	TokensFile string `yaml:"tokens_file" doc:"file of the API's tokens and their roles"`
}

// None tells whether the API asks nobody for a token.
func (a Auth) None() bool { return a == Auth{} }

// Router says how events are handled. It holds for every consumer.
type Router struct {
	KeysInFlight   int           `yaml:"keys_in_flight" min:"1" doc:"ordering keys that a consumer handles at the same time"`
	AttemptTimeout time.Duration `yaml:"attempt_timeout" doc:"how long one attempt at an event may take"`
	Retry          Retry         `yaml:"retry"`
	OnFailure      string        `yaml:"on_failure" oneof:"hold release" doc:"what happens to later events of a failed event's key: they wait, or go on"`
	FollowsTimeout time.Duration `yaml:"follows_timeout" doc:"how long an event waits for its declared predecessor before it is a dead letter"`
	WaitingLimit   int           `yaml:"waiting_limit" min:"1" doc:"waiting events of a consumer at which its intake stops"`
}

// Retry says how often a failing event is tried again before it becomes a dead letter.
type Retry struct {
	Immediate int             `yaml:"immediate" min:"0" doc:"retries at once, by the same worker"`
	Delayed   []time.Duration `yaml:"delayed" doc:"delays of the later retries, which hold no worker"`
}

// Domain holds the business rules that an operator may set.
type Domain struct {
	ReservationTTL   time.Duration `yaml:"reservation_ttl" doc:"how long reserved stock is kept for an order that is not validated"`
	DefaultLocation  string        `yaml:"default_location" required:"true" doc:"location of stock when none is named"`
	DefaultThreshold int           `yaml:"default_threshold" min:"0" doc:"available stock that raises the first low stock alert"`
	BlockedCustomers []string      `yaml:"blocked_customers" doc:"customers whose orders are cancelled"`
	OrderUpTo        int           `yaml:"order_up_to" min:"1" doc:"purchase orders fill stock up to so many times its threshold"`
}

// Providers are the simulated parties outside the platform.
type Providers struct {
	Payments    Provider `yaml:"payments"`
	Fulfillment Provider `yaml:"fulfillment"`
}

// Provider is one simulated party outside.
type Provider struct {
	Delay       time.Duration `yaml:"delay" min:"0" doc:"how long an answer takes"`
	FailureRate float64       `yaml:"failure_rate" min:"0" max:"1" doc:"share of requests that it refuses, 0 to 1"`
	Seed        int64         `yaml:"seed" doc:"seed of what it refuses; the same seed refuses the same requests"`
}

// Procurement is how procurement reaches inventory.
type Procurement struct {
	Token string `yaml:"token" secret:"true" doc:"token of the API with which delivered goods are taken into stock; empty: none, as with http.auth none"`
}

// Tracing exports OpenTelemetry spans.
type Tracing struct {
	Endpoint    string  `yaml:"endpoint" doc:"host:port of an OTLP/HTTP collector; empty: off"`
	Insecure    bool    `yaml:"insecure" doc:"speaks to the collector without TLS"`
	SampleRatio float64 `yaml:"sample_ratio" min:"0" max:"1" doc:"share of new traces that are recorded, 0 to 1"`
}

// Log says what is logged to stderr, and how.
type Log struct {
	Level  string `yaml:"level" flag:"log-level" oneof:"debug info warn error" doc:"lowest level that is logged"`
	Format string `yaml:"format" flag:"log-format" oneof:"auto text json" doc:"auto: text on a terminal, JSON elsewhere"`
}

// Debug opens what a production process keeps shut.
type Debug struct {
	Failpoints bool `yaml:"failpoints" doc:"lets VISCOUNT_FAILPOINTS break the process on purpose"`
	Pprof      bool `yaml:"pprof" doc:"serves profiles of the running process under /debug/pprof"`
}
