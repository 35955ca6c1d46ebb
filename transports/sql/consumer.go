package sql

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

const (
	readBatch    = 1024
	pollBusy     = 5 * time.Millisecond
	pollIdle     = 50 * time.Millisecond
	failurePause = 500 * time.Millisecond
)

// consumer is one instance of a consumer: the buckets of keys that it holds, and how far it has read each topic.
type consumer struct {
	*keyed.Consumer
	db       *sql.DB
	group    string
	instance string
	log      *slog.Logger

	start    sync.Once
	quit     context.CancelFunc // ends the reading
	reading  sync.WaitGroup
	stop     context.CancelFunc // ends the leases
	leasing  sync.WaitGroup
	draining atomic.Bool
	renewed  time.Time // the leases

	mu      sync.Mutex
	changes int                            // of the buckets held
	held    map[int16]map[string]*position // by bucket and topic
	read    map[string]int64               // by topic: every row of the buckets held up to here was looked at
}

// position is where this instance stands on one topic of one bucket.
type position struct {
	stream *keyed.Stream
	last   int64 // the last offset taken
	saved  int64 // what the table says
}

func newConsumer(db *sql.DB, name string, topics []string, o driver.Options) *consumer {
	return &consumer{
		Consumer: keyed.NewConsumer(name, topics, keyed.Options{Keys: o.KeysInFlight, Redeliver: o.Redeliver}), db: db, group: o.ConsumerName(name),
		instance: uuid.NewString(), log: o.Logger.With("consumer", name), held: map[int16]map[string]*position{}, read: map[string]int64{},
	}
}

// subscriber is the consumer as Watermill sees it.
type subscriber struct{ *consumer }

// Close does nothing: the transport is closed as a whole.
func (subscriber) Close() error { return nil }

// Subscribe gives the messages of a topic. The first subscription joins the consumer's instances.
func (s subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out, err := s.Consumer.Subscribe(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("sql: %w", err)
	}
	s.start.Do(s.join)
	return out, nil
}

func (c *consumer) join() {
	ctx, stop := context.WithCancel(context.Background())
	reading, quit := context.WithCancel(ctx)
	c.stop, c.quit = stop, quit
	c.leasing.Go(func() { c.keepLeases(ctx) })
	c.reading.Go(func() { c.readAll(reading) })
}

// readAll reads rows page by page, as long as the engine has room for them.
func (c *consumer) readAll(ctx context.Context) {
	pause := pollBusy
	for {
		if _, err := c.Engine.Room(ctx); err != nil {
			return
		}
		n, err := c.readOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.log.WarnContext(ctx, "reading events from PostgreSQL; trying again", "error", err)
			pause = failurePause
		case n > 0:
			pause = pollBusy
			continue
		default:
			pause = min(2*pause, pollIdle)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// row is a message as it stands in a topic's table.
type row struct {
	topic           string
	offset          int64
	bucket          int16
	uuid            string
	key             []byte
	payload, header []byte
	at              time.Time
}

// readOnce reads the next rows of all topics and hands them to the engine; n is how many they were.
func (c *consumer) readOnce(ctx context.Context) (n int, err error) {
	c.mu.Lock()
	changes := c.changes
	held := make([]int16, 0, len(c.held))
	for bucket := range c.held {
		held = append(held, bucket)
	}
	query, args := c.query(held, readBatch)
	c.mu.Unlock()
	if len(held) == 0 {
		return 0, nil
	}
	rows, err := c.fetch(ctx, query, args)
	if err != nil {
		return 0, err
	}
	return len(rows), c.takeAll(ctx, rows, changes)
}

// takeAll hands rows to the engine as it has room for them: pages stay large, however little room there is. When buckets come
// or go meanwhile, the rest is left to be read again.
func (c *consumer) takeAll(ctx context.Context, rows []row, changes int) error {
	for len(rows) > 0 {
		room, err := c.Engine.Room(ctx)
		if err != nil {
			return err
		}
		some := rows[:min(room, len(rows))]
		if same, err := c.takeSome(ctx, some, changes); !same || err != nil {
			return err
		}
		rows = rows[len(some):]
	}
	return nil
}

func (c *consumer) takeSome(ctx context.Context, rows []row, changes int) (same bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return false, nil
	}
	for i := range rows {
		if err := c.take(ctx, &rows[i]); err != nil {
			return true, err
		}
	}
	return true, nil
}

// query reads on in every topic. Rows of buckets that another instance holds come without their bodies: they are passed.
func (c *consumer) query(held []int16, limit int) (string, []any) {
	topics := c.Topics()
	each := max(1, limit/len(topics))
	args := []any{held, each}
	parts := make([]string, len(topics))
	for i, topic := range topics {
		args = append(args, c.read[topic])
		parts[i] = fmt.Sprintf(`(SELECT %d, "offset", bucket, uuid, key, CASE WHEN bucket = ANY($1) THEN payload END, CASE WHEN bucket = ANY($1) THEN metadata END, created_at
			FROM transport.%s WHERE "offset" > $%d ORDER BY "offset" LIMIT $2)`, i, tableOf(topic), i+3)
	}
	return strings.Join(parts, " UNION ALL "), args
}

func (c *consumer) fetch(ctx context.Context, query string, args []any) ([]row, error) {
	found, err := c.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }() // read to the end below
	topics := c.Topics()
	var rows []row
	for found.Next() {
		var r row
		var topic int
		if err := found.Scan(&topic, &r.offset, &r.bucket, &r.uuid, &r.key, &r.payload, &r.header, &r.at); err != nil {
			return nil, err
		}
		r.topic = topics[topic]
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// take hands a row to the engine, which has room for it, unless it is another instance's or was taken before.
func (c *consumer) take(ctx context.Context, r *row) error {
	c.read[r.topic] = max(c.read[r.topic], r.offset)
	p := c.held[r.bucket][r.topic]
	if p == nil || r.offset <= p.last {
		return nil
	}
	p.last = r.offset
	return p.stream.Take(ctx, keyed.Message{At: r.offset, Published: r.at, Key: string(r.key), Message: messageOf(r)})
}

// messageOf reads a row; one of a foreign program may have neither uuid nor metadata.
func messageOf(r *row) *message.Message {
	metadata := message.Metadata{}
	_ = json.Unmarshal(r.header, &metadata) // metadata never refuses a message: all of it can be derived from the event
	for name := range metadata {
		if !driver.Travels(name) {
			delete(metadata, name)
		}
	}
	metadata[driver.PartitionMetadata] = strconv.Itoa(int(r.bucket))
	metadata[driver.OffsetMetadata] = strconv.FormatInt(r.offset, 10)
	if len(r.key) > 0 {
		metadata[driver.KeyMetadata] = string(r.key)
	}
	if r.uuid == "" {
		r.uuid = r.topic + "/" + metadata[driver.OffsetMetadata]
	}
	msg := message.NewMessage(r.uuid, r.payload)
	msg.Metadata = metadata
	return msg
}

// drain takes nothing more in, and waits for what is in flight. It keeps the leases until close: else another instance would
// get what a slow handler still works on.
func (c *consumer) drain(ctx context.Context) error {
	c.halt()
	return c.Engine.Drain(ctx)
}

// halt ends the reading.
func (c *consumer) halt() {
	c.draining.Store(true)
	c.start.Do(func() {}) // no later subscription joins
	if c.quit != nil {
		c.quit()
		c.reading.Wait()
	}
}

// close saves how far it is, and gives its buckets to the other instances.
func (c *consumer) close() {
	c.halt()
	c.Close()
	if c.stop != nil {
		c.stop()
		c.leasing.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := c.leave(ctx); err != nil {
		c.log.WarnContext(ctx, "leaving the consumer's other instances; some events may be delivered twice, and its buckets are free after their lease", "error", err)
	}
}

const lagLimit = 10_000 // rows that are counted; beyond, offsets tell

// lag is how far the buckets held here are behind.
func (c *consumer) lag(ctx context.Context) ([]driver.Lag, error) {
	var out []driver.Lag
	for _, topic := range c.Topics() {
		c.mu.Lock()
		lag := driver.Lag{Consumer: c.Name, Topic: topic}
		read := c.read[topic]
		held := make([]int16, 0, len(c.held))
		for bucket, topics := range c.held {
			held = append(held, bucket)
			if p := topics[topic]; p != nil { // else doctor made the topic forgotten
				n, oldest := p.stream.Unfinished()
				lag.Events += int64(n)
				lag.Oldest = max(lag.Oldest, oldest)
			}
		}
		c.mu.Unlock()
		var unread, beyond int64
		var oldest sql.NullTime
		err := c.db.QueryRowContext(ctx, `SELECT count(*), min(created_at), (SELECT coalesce(max("offset"), 0) FROM transport.`+tableOf(topic)+`) - $1
			FROM (SELECT bucket, created_at FROM transport.`+tableOf(topic)+` WHERE "offset" > $1 ORDER BY "offset" LIMIT $2) AS next WHERE bucket = ANY($3)`,
			read, lagLimit, held).Scan(&unread, &oldest, &beyond)
		if err != nil {
			return nil, err
		}
		if beyond > lagLimit {
			unread = beyond * int64(len(held)) / buckets
		}
		lag.Events += unread
		if oldest.Valid {
			lag.Oldest = max(lag.Oldest, time.Since(oldest.Time))
		}
		out = append(out, lag)
	}
	return out, nil
}
