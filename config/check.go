package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check judges the values, first each by its tags, then together.
func (l *loader) check() {
	for _, f := range l.fields {
		if f.fileOf == "" {
			l.checkField(f, l.value(f))
		}
	}
	if !slices.Contains(Profiles(), l.config.Profile) {
		return // what follows would judge values that nobody chose
	}
	l.checkServices()
	l.checkHTTP()
	l.checkTokens()
	l.checkPeers()
	l.checkTransport()
	l.checkPostgres()
	l.checkNotifications()
	l.checkAddress("tracing.endpoint", l.config.Tracing.Endpoint)
	if l.env[failpointsVariable] != "" && !l.config.Debug.Failpoints {
		l.add(Problem{Origin: "env " + failpointsVariable, Path: "debug.failpoints", Message: "is false", Remedy: "set it to true, or unset the variable"})
	}
}

// wrong reports a value where it was set. The further paths lead to what made it wrong, if only a profile set it or nobody.
func (l *loader) wrong(path, value, message, remedy string, because ...string) {
	var place origin
	for _, p := range append([]string{path}, because...) {
		if o, ok := l.origins[p]; ok && (place == origin{} || place.layer() == "profile") {
			place = o
		}
	}
	l.addAt(place, Problem{Path: path, Value: clip(redact(value, false)), Message: message, Remedy: remedy})
}

func (l *loader) checkField(f field, v reflect.Value) {
	switch {
	case f.zero() != "" && v.IsZero():
	case f.tag.Get("required") != "" && (v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0):
		l.wrong(f.Path, "", "empty", "write one: "+f.Doc)
	case f.tag.Get("oneof") != "" && !slices.Contains(f.OneOf, v.String()):
		l.wrong(f.Path, text(v, ""), "is not a choice", "write one of "+strings.Join(f.OneOf, ", "))
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			l.checkRange(f, v.Index(i))
		}
	default:
		l.checkRange(f, v)
	}
	if v.Kind() == reflect.String && strings.HasSuffix(f.Path, "_file") && v.String() != "" {
		l.checkFile(f.Path, v.String())
	}
}

// checkRange holds numbers and durations against min and max; a duration without a min is positive.
func (l *loader) checkRange(f field, v reflect.Value) {
	lowest, bounded := f.tag.Lookup("min")
	highest, capped := f.tag.Lookup("max")
	if v.Type() == reflect.TypeFor[time.Duration]() {
		if v.Int() < 0 || !bounded && v.Int() == 0 {
			least := "a duration above zero"
			if bounded {
				least = "zero or more"
			}
			l.wrong(f.Path, text(v, ""), "is too short", "write "+least)
		}
		return
	}
	var number float64
	switch {
	case v.CanInt():
		number = float64(v.Int())
	case v.CanFloat():
		number = v.Float()
	default:
		return
	}
	if bounded && !(number >= parsed(lowest)) { // not <, so that NaN is refused
		l.wrong(f.Path, text(v, ""), "is too small", "write at least "+lowest)
	} else if capped && !(number <= parsed(highest)) {
		l.wrong(f.Path, text(v, ""), "is too large", "write at most "+highest)
	}
}

func parsed(bound string) float64 {
	number, _ := strconv.ParseFloat(bound, 64) // a test parses every bound
	return number
}

func (l *loader) checkFile(path, name string) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		l.wrong(path, name, "cannot be read: "+cause(err), "name a file that exists")
	case info.IsDir():
		l.wrong(path, name, "is a folder", "name a file")
	}
}

func (l *loader) checkServices() {
	c, known := l.config, l.src.Services
	if c.All() || len(c.Services) == 0 {
		return
	}
	seen := map[string]bool{}
	for _, name := range c.Services {
		switch {
		case name == AllServices:
			l.wrong("services", name, "stands beside other names", "write all, or a list without it")
		case seen[name]:
			l.wrong("services", name, "is named twice", "name it once")
		case len(known) > 0 && !slices.Contains(known, name):
			l.wrong("services", name, "is no service", "choose from "+strings.Join(known, ", "))
		}
		seen[name] = true
	}
}

func (l *loader) checkHTTP() {
	h := l.config.HTTP
	if h.Listen != "" && l.checkAddress("http.listen", h.Listen) && h.Auth.None() && !loopback(h.Listen) {
		l.wrong("http.listen", h.Listen, "is outside loopback, and http.auth is none", "set http.auth.tokens_file, or listen on 127.0.0.1")
	}
}

// checkTokens reports what is wrong inside the file of tokens, if it can be read.
func (l *loader) checkTokens() {
	file := l.config.HTTP.Auth.TokensFile
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return // none is set, or checkField has reported it
	}
	var problems *Problems
	if _, err := ReadTokens(file); errors.As(err, &problems) {
		l.problems.List = append(l.problems.List, problems.List...)
	}
}

func (l *loader) checkPeers() {
	peers := l.config.HTTP.Peers
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		path := "http.peers." + clip(name)
		if len(l.src.Services) > 0 && !slices.Contains(l.src.Services, name) {
			l.wrong(path, "", "no such service", "choose from "+strings.Join(l.src.Services, ", "), "http.peers")
		}
		if len(peers[name]) == 0 {
			l.wrong(path, "", "empty", "list at least one base URL", "http.peers")
		}
		for _, peer := range peers[name] {
			u, err := url.Parse(peer)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
				l.wrong(path, peer, "is not a base URL", "write one such as http://inventory:8080", "http.peers")
			}
		}
	}
}

func (l *loader) checkTransport() {
	t := l.config.Transport
	if linked := l.src.Driver; linked != "" && t.Driver != linked {
		l.wrong("transport.driver", t.Driver, "is not linked into this program", "write "+linked+", or give app.Main another driver", "profile")
		return
	}
	switch t.Driver {
	case "kafka":
		l.checkKafka(t.Kafka)
	case "sql":
		if t.SQL.URL == "" && l.config.Store.Driver != "postgres" {
			l.wrong("transport.sql.url", "", "empty, and the store is not postgres", "set the URL of a PostgreSQL database", "transport.driver")
		}
		if t.SQL.URL != "" {
			l.checkPostgresURL("transport.sql.url", t.SQL.URL)
		}
	case "googlecloud":
		if t.GoogleCloud.Project == "" {
			l.wrong("transport.googlecloud.project", "", "empty", "set the Google Cloud project that owns the topics", "transport.driver")
		}
		l.checkAddress("transport.googlecloud.endpoint", t.GoogleCloud.Endpoint)
	}
}

func (l *loader) checkKafka(k Kafka) {
	if len(k.Brokers) == 0 {
		l.wrong("transport.kafka.brokers", "", "empty", "list at least one host:port", "transport.driver")
	}
	plain := !k.TLS.Enabled && !k.Insecure
	for _, broker := range k.Brokers {
		if broker == "" {
			l.wrong("transport.kafka.brokers", "", "has an empty entry", "write host:port")
		} else if l.checkAddress("transport.kafka.brokers", broker) && plain && !loopback(broker) {
			l.wrong("transport.kafka.brokers", broker, "is outside loopback, and TLS is off", "set transport.kafka.tls.enabled, or transport.kafka.insecure to allow plain text")
		}
	}
	l.checkTLS("transport.kafka.tls.", k.TLS)
	if k.SASL.Mechanism == "" {
		return
	}
	if k.SASL.Username == "" {
		l.wrong("transport.kafka.sasl.username", "", "empty", "set it, or mechanism to none", "transport.kafka.sasl.mechanism")
	}
	if _, fromFile := l.secrets["transport.kafka.sasl.password"]; k.SASL.Password == "" && !fromFile {
		l.wrong("transport.kafka.sasl.password", "", "empty", "set it or password_file, or mechanism to none", "transport.kafka.sasl.mechanism")
	}
}

func (l *loader) checkTLS(prefix string, t TLS) {
	if t.CertFile != "" && t.KeyFile == "" {
		l.wrong(prefix+"key_file", "", "empty", "name the key of cert_file", prefix+"cert_file")
	}
	if t.CertFile == "" && t.KeyFile != "" {
		l.wrong(prefix+"cert_file", "", "empty", "name the certificate of key_file", prefix+"key_file")
	}
	if !t.Enabled && t != (TLS{}) {
		l.wrong(prefix+"enabled", "", "false, so that its files would not be used", "set it to true, or remove them",
			prefix+"ca_file", prefix+"cert_file", prefix+"key_file")
	}
}

func (l *loader) checkPostgres() {
	if l.config.Store.Driver != "postgres" {
		return
	}
	if l.config.Store.Postgres.URL == "" {
		l.wrong("store.postgres.url", "", "empty", "set one such as postgres://viscount@db:5432/viscount", "store.driver")
		return
	}
	l.checkPostgresURL("store.postgres.url", l.config.Store.Postgres.URL)
}

func (l *loader) checkPostgresURL(path, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && !u.Query().Has("host") {
		l.wrong(path, "", "not a PostgreSQL URL", "write one such as postgres://viscount@db:5432/viscount") // not shown: it may hold a password
	}
}

// checkAddress wants host:port, or nothing.
func (l *loader) checkAddress(path, address string) bool {
	if address == "" {
		return true
	}
	_, port, err := net.SplitHostPort(address)
	if number, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || number == 0 && path != "http.listen" {
		l.wrong(path, address, "is not an address", fmt.Sprintf("write host:port such as %s", exampleAddress(path)))
		return false
	}
	return true
}

func exampleAddress(path string) string {
	switch path {
	case "http.listen":
		return "127.0.0.1:8080"
	case "transport.kafka.brokers":
		return "kafka-1:9093"
	case "tracing.endpoint":
		return "collector:4318"
	case "notifications.email.smtp.address":
		return "mail.example.org:587"
	}
	return "localhost:8085"
}

func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
