package sql

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/first-viscount/viscount/internal/postgres"
	"github.com/first-viscount/viscount/transports/driver"
)

// admin implements driver.Admin.
type admin struct {
	db *sql.DB
	o  driver.Options
}

func openAdmin(ctx context.Context, o driver.Options) (driver.Admin, error) {
	db, err := connect(ctx, o, 1)
	if err != nil {
		return nil, err
	}
	return &admin{db, o}, nil
}

func connect(ctx context.Context, o driver.Options, pool int) (*sql.DB, error) {
	return postgres.Open(ctx, postgres.Target{
		Setting: "transport.sql", URL: o.Config.SQL.URL, Password: o.Config.SQL.Password, Name: "viscount-transport", Schema: schema, Pool: pool, LockTimeout: lockTimeout,
	})
}

// Plan implements driver.Admin. Retention needs no setting: whoever prunes knows the contracts.
func (a *admin) Plan(ctx context.Context) ([]driver.Change, error) {
	have, err := existing(ctx, a.db)
	if err != nil {
		return nil, fmt.Errorf("transport.sql: %w", err)
	}
	var changes []driver.Change
	for _, topic := range a.o.Topics {
		if !have[tableOf(topic.Name)] {
			changes = append(changes, driver.Change{Topic: topic.Name, Action: "create", Detail: "the table " + schema + "." + tableOf(topic.Name)})
		}
	}
	return changes, nil
}

// Apply implements driver.Admin.
func (a *admin) Apply(ctx context.Context, changes []driver.Change) error {
	if len(changes) == 0 {
		return nil
	}
	return prepare(ctx, a.db, a.o)
}

// List implements driver.Admin.
func (a *admin) List(ctx context.Context) ([]driver.TopicState, error) {
	have, err := existing(ctx, a.db)
	if err != nil {
		return nil, fmt.Errorf("transport.sql: %w", err)
	}
	states := make([]driver.TopicState, len(a.o.Topics))
	for i, topic := range a.o.Topics {
		states[i] = driver.TopicState{Topic: topic.Name, Exists: have[tableOf(topic.Name)], Consumers: a.o.Hearers(topic.Name), Retention: driver.RetentionText(topic.Retention)}
		if states[i].Exists {
			query := `SELECT coalesce(max("offset") - min("offset") + 1, 0) FROM transport.` + tableOf(topic.Name)
			if err := a.db.QueryRowContext(ctx, query).Scan(&states[i].Events); err != nil {
				return nil, err
			}
		}
	}
	return states, nil
}

// Doctor implements driver.Admin: it finds what restoring a part of the database leaves behind, and who holds back events for
// nobody.
func (a *admin) Doctor(ctx context.Context) ([]driver.Finding, error) {
	have, err := existing(ctx, a.db)
	if err != nil {
		return nil, fmt.Errorf("transport.sql: %w", err)
	}
	var findings []driver.Finding
	left := map[string]*leftover{}
	for _, topic := range a.o.Topics {
		if !have[tableOf(topic.Name)] || !have["positions"] {
			continue
		}
		found, err := a.examine(ctx, topic.Name)
		if err != nil {
			return nil, fmt.Errorf("transport.sql: examining %s: %w", topic.Name, err)
		}
		findings = append(findings, found...)
		if err := a.findLeft(ctx, topic, left); err != nil {
			return nil, fmt.Errorf("transport.sql: examining who hears %s: %w", topic.Name, err)
		}
	}
	for _, consumer := range slices.Sorted(maps.Keys(left)) {
		findings = append(findings, a.leftBehind(consumer, left[consumer]))
	}
	return findings, nil
}

// leftover is what a consumer keeps that the platform does not have, or not on these topics.
type leftover struct {
	topics []string
	events int64 // beyond their retention
}

// findLeft adds who stands on a topic and is not among its hearers. A consumer that the platform does not have at all is
// somebody else's as long as it runs: library services share the tables.
func (a *admin) findLeft(ctx context.Context, topic driver.Topic, left map[string]*leftover) error {
	table := schema + "." + tableOf(topic.Name)
	rows, err := a.db.QueryContext(ctx, `SELECT consumer, (SELECT count(*) FROM `+table+` WHERE "offset" > min(p.done) AND $4 AND created_at < now() - $5::interval)
		FROM transport.positions AS p WHERE topic = $1 AND consumer <> ALL($2)
		AND (consumer = ANY($3) OR NOT EXISTS (SELECT FROM transport.members AS m WHERE m.consumer = p.consumer AND until >= now())) GROUP BY consumer`,
		topic.Name, a.o.Hearers(topic.Name), a.platform(), topic.Retention > 0, topic.Retention.String())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // read to the end below
	for rows.Next() {
		var consumer string
		var events int64
		if err := rows.Scan(&consumer, &events); err != nil {
			return err
		}
		if left[consumer] == nil {
			left[consumer] = &leftover{}
		}
		left[consumer].topics = append(left[consumer].topics, topic.Name)
		left[consumer].events += events
	}
	return rows.Err()
}

// platform is every consumer of the platform that hears something.
func (a *admin) platform() (consumers []string) {
	for _, topic := range a.o.Topics {
		consumers = append(consumers, a.o.Hearers(topic.Name)...)
	}
	return consumers
}

func (a *admin) leftBehind(consumer string, left *leftover) driver.Finding {
	return driver.Finding{
		Problem: fmt.Sprintf("%s stands on %s, which nobody of this platform hears by that name: it holds back %d events whose retention is over", consumer, strings.Join(left.topics, ", "), left.events),
		Remedy:  "forget where it stands, unless a service of another program has that name: one that comes back begins at the first event that is left; stop processes that still hear there first",
		Mend: func(ctx context.Context) error {
			_, err := a.db.ExecContext(ctx, `WITH gone AS (DELETE FROM transport.positions WHERE consumer = $1 AND topic = ANY($2))
				DELETE FROM transport.consumer_buckets WHERE consumer = $1 AND NOT EXISTS (SELECT FROM transport.positions WHERE consumer = $1 AND topic <> ALL($2))`, consumer, left.topics)
			return err
		},
	}
}

// examine compares a topic's offsets, the number that its next message gets, and its consumers' positions.
func (a *admin) examine(ctx context.Context, topic string) ([]driver.Finding, error) {
	table := schema + "." + tableOf(topic)
	var last, given int64
	err := a.db.QueryRowContext(ctx, `SELECT coalesce((SELECT max("offset") FROM `+table+`), 0), coalesce(pg_sequence_last_value(pg_get_serial_sequence('`+table+`', 'offset')), 0)`).Scan(&last, &given)
	if err != nil {
		return nil, err
	}
	var findings []driver.Finding
	if given < last {
		findings = append(findings, driver.Finding{
			Problem: fmt.Sprintf("%s holds offset %d, but its numbers go on after %d: it was restored without its sequence, and publishing fails", topic, last, given),
			Remedy:  "let its numbers go on after the last one",
			Mend: func(ctx context.Context) error {
				_, err := a.db.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence('`+table+`', 'offset'), $1)`, last)
				return err
			},
		})
	}
	rows, err := a.db.QueryContext(ctx, `SELECT consumer, max(done) FROM transport.positions WHERE topic = $1 GROUP BY consumer HAVING max(done) > $2 ORDER BY consumer`, topic, max(last, given))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to the end below
	for rows.Next() {
		var consumer string
		var done int64
		if err := rows.Scan(&consumer, &done); err != nil {
			return nil, err
		}
		findings = append(findings, driver.Finding{
			Problem: fmt.Sprintf("%s stands at offset %d of %s, which ends at %d: the topic was restored from an older copy, and its next events would be passed over", consumer, done, topic, max(last, given)),
			Remedy:  "let the consumer go on after the topic's last event; stop its processes first",
			Mend: func(ctx context.Context) error {
				_, err := a.db.ExecContext(ctx, `UPDATE transport.positions SET done = $3 WHERE consumer = $1 AND topic = $2 AND done > $3`, consumer, topic, max(last, given))
				return err
			},
		})
	}
	return findings, rows.Err()
}

// Close implements driver.Admin.
func (a *admin) Close() error { return a.db.Close() }
