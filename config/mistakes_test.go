package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
)

func services() []string { return []string{"catalog", "inventory", "orders"} }

// TestMistakes loads one small file per kind of mistake and wants the whole report, word for word.
func TestMistakes(t *testing.T) {
	mistakes := map[string][]string{
		"anchors": {
			`anchors.yaml:1: anchors, aliases and tags are not supported; write the value out`,
			`anchors.yaml:2: anchors, aliases and tags are not supported; write the value out`,
		},
		"auth": {
			`auth.yaml:1: http.auth: "basic" is not a choice; write none or a group of keys`,
		},
		"auth_file": {
			`auth_file.yaml:3: http.auth.tokens_file: "testdata/absent" cannot be read: no such file or directory; name a file that exists`,
		},
		"duplicate_key": {
			`duplicate_key.yaml:4: http.listen: stands here a second time; keep one of them`,
			`duplicate_key.yaml:5: log: stands here a second time; keep one of them`,
		},
		"googlecloud": {
			`googlecloud.yaml:3: transport.googlecloud.endpoint: "emulator" is not an address; write host:port such as localhost:8085`,
			`profile googlecloud: transport.googlecloud.project: empty; set the Google Cloud project that owns the topics`,
		},
		"kafka_plain": {
			`kafka_plain.yaml:4: transport.kafka.brokers: "kafka-1:9092" is outside loopback, and TLS is off; set transport.kafka.tls.enabled, or transport.kafka.insecure to allow plain text`,
			`kafka_plain.yaml:4: transport.kafka.brokers: "kafka-2" is not an address; write host:port such as kafka-1:9093`,
			`kafka_plain.yaml:8: transport.kafka.sasl.username: empty; set it, or mechanism to none`,
			`kafka_plain.yaml:8: transport.kafka.sasl.password: empty; set it or password_file, or mechanism to none`,
		},
		"kafka_tls": {
			`kafka_tls.yaml:3: transport.kafka.tls.key_file: empty; name the key of cert_file`,
			`kafka_tls.yaml:3: transport.kafka.tls.enabled: false, so that its files would not be used; set it to true, or remove them`,
		},
		"kafka_without_brokers": {
			`kafka_without_brokers.yaml:3: transport.kafka.brokers: empty; list at least one host:port`,
			`profile kafka: store.postgres.url: empty; set one such as postgres://viscount@db:5432/viscount`,
		},
		"listen": {
			`listen.yaml:1: http.listen: "8080" is not an address; write host:port such as 127.0.0.1:8080`,
		},
		"not_a_section": {
			`not_a_section.yaml:1: is a list; write a group of keys: profile, services, transport, store, http, router, domain, providers, notifications, procurement, tracing, log, debug, drain_timeout`,
		},
		"notifications": {
			`notifications.yaml:2: notifications.digest: "-1m" is too short; write zero or more`,
			`notifications.yaml:4: notifications.email.from: "the shop" is not a mail address; write one such as shop@example.org`,
			`notifications.yaml:5: notifications.email.smtp.address: "mail:25" is outside loopback, and TLS is off; set notifications.email.smtp.tls to starttls or implicit, or notifications.email.smtp.insecure to allow plain text`,
			`notifications.yaml:5: notifications.email.smtp.password: empty; set it or password_file, or remove username`,
			`notifications.yaml:6: notifications.webhook.previous_secret: is no secret of a webhook; write whsec_ and the base64 of 24 to 64 random bytes, as ` + "`echo whsec_$(openssl rand -base64 32)`" + ` makes it`,
			`notifications.yaml:6: notifications.webhook.secret: empty; set it, or remove previous_secret`,
			`notifications.yaml:7: notifications.staff.emails: "ada" is not a mail address; write one such as shop@example.org`,
			`notifications.yaml:7: notifications.staff.emails: "Bob@example.org" stands here a second time; keep one of them`,
			`notifications.yaml:7: notifications.staff.webhook: "ftp://chat" is not a URL; write one such as https://chat.example.org/hooks/stock`,
			`notifications.yaml:7: notifications.webhook.secret: empty, so that staff's webhook would not be called; write whsec_ and the base64 of 24 to 64 random bytes, as ` + "`echo whsec_$(openssl rand -base64 32)`" + ` makes it`,
		},
		"notifications_smtp": {
			`notifications_smtp.yaml:2: notifications.email.smtp.address: empty; set the mail server's host:port`,
			`notifications_smtp.yaml:3: notifications.email.smtp.tls: "ssl" is not a choice; write one of starttls, implicit, none`,
			`notifications_smtp.yaml:3: notifications.email.smtp.username: empty; set it, or remove password`,
		},
		"open_without_auth": {
			`open_without_auth.yaml:1: http.listen: "0.0.0.0:8080" is outside loopback, and http.auth is none; set http.auth.tokens_file, or listen on 127.0.0.1`,
		},
		"out_of_range": {
			`out_of_range.yaml:1: router.keys_in_flight: "0" is too small; write at least 1`,
			`out_of_range.yaml:1: router.on_failure: "ignore" is not a choice; write one of hold, release`,
			`out_of_range.yaml:1: router.retry.immediate: "-1" is too small; write at least 0`,
			`out_of_range.yaml:1: router.retry.delayed: "0s" is too short; write a duration above zero`,
			`out_of_range.yaml:3: providers.payments.failure_rate: "1.5" is too large; write at most 1`,
			`out_of_range.yaml:4: providers.fulfillment.failure_rate: "NaN" is too small; write at least 0`,
			`out_of_range.yaml:4: providers.fulfillment.delay: "-1s" is too short; write zero or more`,
			`out_of_range.yaml:5: drain_timeout: "0s" is too short; write a duration above zero`,
			`out_of_range.yaml:6: store.outbox_retention: "-1h" is too short; write a duration above zero`,
			`out_of_range.yaml:7: domain.default_location: empty; write one: location of stock when none is named`,
		},
		"peers": {
			`peers.yaml:2: http.peers.inventory: empty; list at least one base URL`,
			`peers.yaml:2: http.peers.nobody: no such service; choose from catalog, inventory, orders`,
			`peers.yaml:2: http.peers.orders: "orders:8080" is not a base URL; write one such as http://inventory:8080`,
		},
		"postgres_url": {
			`postgres_url.yaml:2: store.postgres.url: not a PostgreSQL URL; write one such as postgres://viscount@db:5432/viscount`,
		},
		"secret_empty": {
			`secret_empty.yaml:5: store.postgres.password_file: "testdata/empty" is empty; write the secret into it`,
		},
		"secret_file": {
			`secret_file.yaml:5: store.postgres.password_file: "testdata/absent" cannot be read: no such file or directory; name a file that holds the secret`,
		},
		"secret_twice": {
			`secret_twice.yaml:6: store.postgres.password_file: is given both as a value and as a file; keep one of them`,
		},
		"services": {
			`services.yaml:2: services: "invoices" is no service; choose from catalog, inventory, orders`,
			`services.yaml:2: services: "inventory" is named twice; name it once`,
			`services.yaml:2: services: "all" stands beside other names; write all, or a list without it`,
		},
		"sql_without_database": {
			`sql_without_database.yaml:1: transport.sql.url: empty, and the store is not postgres; set the URL of a PostgreSQL database`,
		},
		"syntax": {
			`syntax.yaml:2: not valid YAML; could not find end character of double-quoted text`,
		},
		"two_documents": {
			`two_documents.yaml:3: a second document; keep one document in a file`,
		},
		"unknown_driver": {
			`unknown_driver.yaml:1: transport.driver: "rabbitmq" is not a choice; write one of gochannel, kafka, sql, googlecloud`,
			`unknown_driver.yaml:2: store.driver: "mysql" is not a choice; write one of sqlite, postgres`,
		},
		"unknown_key": {
			`unknown_key.yaml:2: router.keys_in_fligth: unknown key; did you mean keys_in_flight?`,
			`unknown_key.yaml:3: listen: unknown key; did you mean http.listen?`,
			`unknown_key.yaml:4: nonsense_here: unknown key; write one of profile, services, transport, store, http, router, domain, providers, notifications, procurement, tracing, log, debug, drain_timeout`,
			`unknown_key.yaml:5: http.listen: unknown key; write it as nested groups, without dots`,
		},
		"unknown_profile": {
			`unknown_profile.yaml:1: profile: "kafak" is not a choice; write one of local, kafka, sql, googlecloud`,
		},
		"wrong_type": {
			`wrong_type.yaml:1: services: is a group of keys; write a list of text`,
			`wrong_type.yaml:3: router.keys_in_flight: "many" is not a whole number; write a whole number such as 512`,
			`wrong_type.yaml:4: router.attempt_timeout: "30" is not a duration; write a number with its unit, such as 30s or 15m`,
			`wrong_type.yaml:5: router.retry.immediate: "2.5" is not a whole number; write a whole number such as 512`,
			`wrong_type.yaml:5: router.retry.delayed: "soon" is not a duration; write a number with its unit, such as 30s or 15m`,
			`wrong_type.yaml:6: http: is a single value; write a group of keys: listen, max_body, auth, peers, peer_token, peer_token_file`,
			`wrong_type.yaml:7: domain.default_location: is a list; write one text`,
			`wrong_type.yaml:8: providers.payments.failure_rate: "often" is not a number; write a number such as 0.5`,
			`wrong_type.yaml:10: debug.pprof: "yes" is not true or false; write true or false`,
			`wrong_type.yaml:12: store.inbox_retention: has no value; write one, or remove the key`,
		},
	}
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, len(mistakes), "every file needs its report here")
	for name, want := range mistakes {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "mistakes", name+".yaml")
			_, err := config.Load(config.Source{File: file, Services: services()})
			var problems *config.Problems
			require.ErrorAs(t, err, &problems)
			got := strings.ReplaceAll(err.Error(), file, name+".yaml")
			require.Equal(t, strings.Join(want, "\n"), got)
			require.NotContains(t, got, "hunter2")
		})
	}
}

func TestProblemsCarryTheirPlace(t *testing.T) {
	_, err := config.Load(config.Source{File: "testdata/mistakes/unknown_key.yaml"})
	var problems *config.Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, config.Problem{
		File: "testdata/mistakes/unknown_key.yaml", Line: 2, Column: 3, Path: "router.keys_in_fligth",
		Message: "unknown key", Remedy: "did you mean keys_in_flight?",
	}, problems.List[0])
}
