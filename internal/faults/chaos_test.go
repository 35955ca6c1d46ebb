package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/internal/servertest"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/simulator"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// lostReply is a toxic that cuts a connection to PostgreSQL when the server has committed and before the client knows.
type lostReply struct{}

var repliesToLose, repliesLost atomic.Int64 // toxiproxy makes the toxic anew for each connection

// Pipe implements toxics.Toxic.
func (lostReply) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
			if bytes.Contains(c.Data, []byte("COMMIT\x00")) && repliesToLose.Add(-1) >= 0 {
				repliesLost.Add(1)
				stub.Close()
				return
			}
			stub.Output <- c
		}
	}
}

// lostReplies cuts connections after COMMIT: the caller is told of a failure, and it happened.
func lostReplies(t *testing.T) {
	cuts := pick(10, 200)
	p := profiles(t, "sql")[0]
	toxics.Register("lost_reply", new(lostReply))
	proxy := proxied(t, "database", hostOf(t, p.postgres.URL))
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"name":"cut","type":"lost_reply","stream":"downstream"}`))
	require.NoError(t, err)
	repliesToLose.Store(-1 << 40)
	s := p.serve(t, "VISCOUNT_STORE_POSTGRES_URL="+through(t, p.postgres.URL, proxy.Listen), "VISCOUNT_TRANSPORT_SQL_URL="+p.postgres.URL)
	repliesLost.Store(0)
	report := crowd(t, s, simulator.Options{Orders: pick(200, 3000), Rate: 40, Seed: 11}, func() {
		for n := range cuts {
			busy(t, s, 100*time.Millisecond, 1)
			repliesToLose.Store(1)
			require.Eventually(t, func() bool { return repliesLost.Load() > int64(n) }, 30*time.Second, time.Millisecond)
		}
	})
	record(t, row{Fault: "the reply to a commit is lost", Profile: "sql", Events: handled(t, s), Injections: int(repliesLost.Load()), Note: fmt.Sprintf("%d orders, %d duplicates absorbed", report.Orders, report.DuplicatesAbsorbed)})
}

// chaos is a publisher that repeats messages and lets them overtake each other, though not those of a topic and key.
type chaos struct {
	next message.Publisher
	rng  *rand.Rand

	mu      sync.Mutex
	held    []func()            // publications that wait
	lanes   map[string][]func() // by topic and key, in order
	repeats atomic.Int64
	moved   atomic.Int64
}

const overtaken = 50 // publications that may overtake one

func (c *chaos) Close() error { return nil }

// Publish takes messages and lets go of one of those that wait, by chance.
func (c *chaos) Publish(topic string, messages ...*message.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, msg := range messages {
		c.hold(topic, msg)
		if c.rng.Float64() < 0.3 {
			c.repeats.Add(1)
			c.hold(topic, msg.Copy())
		}
	}
	for len(c.held) > overtaken {
		c.release()
	}
	return nil
}

// hold puts a message behind those of its topic and key.
func (c *chaos) hold(topic string, msg *message.Message) {
	lane := topic + "/" + msg.Metadata.Get(driver.KeyMetadata)
	c.lanes[lane] = append(c.lanes[lane], func() { _ = c.next.Publish(topic, msg) }) // closing: the test is over
	c.held = append(c.held, func() {
		first := c.lanes[lane][0]
		c.lanes[lane] = c.lanes[lane][1:]
		first()
	})
}

func (c *chaos) release() {
	i := c.rng.IntN(len(c.held))
	if i > 0 {
		c.moved.Add(1)
	}
	one := c.held[i]
	c.held = append(c.held[:i], c.held[i+1:]...)
	one()
}

// trickle lets go of what waits although nothing more comes.
func (c *chaos) trickle(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.mu.Lock()
			if len(c.held) > 0 {
				c.release()
			}
			c.mu.Unlock()
		}
	}
}

type chaotic struct {
	driver.Transport
	publisher *chaos
}

func (c chaotic) Publisher() message.Publisher { return c.publisher }

// duplicatesAndReordering runs the platform on a transport that repeats 30 % of its messages and moves all of them.
func duplicatesAndReordering(t *testing.T) {
	seeds := pick(3, 100)
	total, repeats, moved, absorbed := int64(0), int64(0), int64(0), int64(0)
	for seed := range seeds {
		loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0"}})
		require.NoError(t, err)
		c := &chaos{rng: rand.New(rand.NewPCG(uint64(seed), 2)), lanes: map[string][]func(){}}
		wild := driver.Driver{Name: "gochannel", Capabilities: gochannel.Driver.Capabilities, Open: func(ctx context.Context, o driver.Options) (driver.Transport, error) {
			inner := gochannel.New(o, 0)
			c.next = inner.Publisher()
			return chaotic{inner, c}, nil
		}}
		a, err := app.Start(t.Context(), app.Options{Config: loaded.Config, Driver: wild, Platform: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		require.NoError(t, err)
		ctx, end := context.WithCancel(t.Context())
		go c.trickle(ctx)
		report, err := simulator.Run(t.Context(), simulator.Options{URL: a.URL(), Orders: 40, Seed: uint64(seed), Products: 10, SettleTimeout: time.Minute})
		require.NoError(t, err)
		for _, i := range report.Invariants {
			require.True(t, i.Held, "seed %d: %s: %s", seed, i.Name, i.Detail)
		}
		require.Zero(t, report.DeadLetters, "seed %d", seed)
		for _, s := range a.Services() {
			st, err := s.Store().Status(t.Context())
			require.NoError(t, err)
			total += st.Counters["applied"] + st.Counters["ignored"]
		}
		absorbed += report.DuplicatesAbsorbed
		repeats, moved = repeats+c.repeats.Load(), moved+c.moved.Load()
		end()
		stopping, cancel := context.WithTimeout(t.Context(), time.Minute)
		require.NoError(t, a.Stop(stopping))
		cancel()
	}
	require.Positive(t, absorbed)
	record(t, row{Fault: "duplicates and reordering", Profile: "local", Events: total, Injections: int(repeats + moved),
		Note: fmt.Sprintf("%d seeds: %d repeated (30 %%), %d overtaken by up to %d, across topics; %d duplicates absorbed", seeds, repeats, moved, overtaken, absorbed)})
}

// handlerDown advances the clock by five minutes, half a second at a time, while a handler fails.
func handlerDown(t *testing.T) {
	down, tries := true, 0
	kit := routertest.NewWith(t, events.Platform(), router.Settings{DelayedRetries: []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute}}, nil,
		router.On(func(context.Context, *store.Tx, events.Event[events.ProductDeleted]) error {
			if tries++; down {
				return errors.New("the warehouse does not answer")
			}
			return nil
		}))
	const arrivals = 200
	for n := range arrivals {
		kit.Receive(events.ProductDeleted{ProductID: fmt.Sprintf("p%d", n)})
	}
	opened := tries
	for range 600 {
		before := tries
		kit.Advance(500 * time.Millisecond)
		require.LessOrEqual(t, tries-before, 1)
	}
	probes := tries - opened
	require.LessOrEqual(t, probes, 301, "at most one a second")
	down = false
	for range 200 {
		kit.Advance(time.Second)
	}
	applied, dead := int64(0), int64(0)
	kit.View(func(ctx context.Context, r store.Reader) error {
		require.NoError(t, r.QueryRow(ctx, "SELECT COUNT(*) FROM inbox WHERE state = $1", store.Applied).Scan(&applied))
		return r.QueryRow(ctx, "SELECT COUNT(*) FROM parked WHERE state = $1", store.Dead).Scan(&dead)
	})
	require.Zero(t, dead)
	record(t, row{Fault: "the handler is down for five minutes", Profile: "kit", Events: arrivals, Injections: opened + probes, Lost: arrivals - applied,
		Note: fmt.Sprintf("the circuit opened after %d failures, %d probes in 300 s, 0 dead letters", opened, probes)})
}

// overTheLimit publishes an event that is longer than its topic takes.
func overTheLimit(t *testing.T) {
	list := profiles(t, "kafka")
	if len(list) == 0 {
		return
	}
	p := list[0]
	s := p.serve(t)
	p.kafka.limit(t, "product-catalog.product.created.v1", 20_000)
	hit := func() bool {
		n, err := s.Metric("viscount_publish_failures_total")
		return err == nil && n > 0
	}
	for n := 0; !hit(); n++ { // the broker applies the limit a moment after it has answered: until then it takes what is too long
		long := fmt.Sprintf(`{"product_id":"long_%d","name":"n","category_id":"c","price":"1.00","description":%q}`, n, strings.Repeat("x", 100_000))
		require.Equal(t, 201, post(t, s.URL()+"/api/v1/products", long))
		require.Eventually(t, func() bool {
			status, err := s.Status()
			return hit() || err == nil && status.Pending == 0
		}, time.Minute, 50*time.Millisecond)
	}
	began := time.Now()
	require.Equal(t, 201, post(t, s.URL()+"/api/v1/products", `{"product_id":"short","name":"n","category_id":"c","price":"1.00"}`))
	var refused, oldest float64
	require.Eventually(t, func() (held bool) {
		var errs [3]error
		var status servertest.Service
		refused, errs[0] = s.Metric("viscount_publish_failures_total")
		oldest, errs[1] = s.Metric("viscount_outbox_oldest_seconds")
		status, errs[2] = s.Status()
		return errors.Join(errs[:]...) == nil && refused >= 3 && oldest > 10 && status.Pending == 1
	}, time.Minute, 100*time.Millisecond, "it waits in the outbox, and holds nobody up")
	rate := refused / time.Since(began).Seconds()
	require.LessOrEqual(t, rate, 2.0, "attempts a second")
	up, err := s.Metric("viscount_transport_up")
	require.NoError(t, err)
	p.kafka.limit(t, "product-catalog.product.created.v1", 1<<20)
	recovery := settle(t, s, time.Minute)
	record(t, row{Fault: "a message over the broker's limit", Profile: "kafka", Events: 2, Injections: int(refused), Recovery: recovery.Seconds(),
		Note: fmt.Sprintf("%.1f attempts a second; transport_up %.0f, oldest %.0f s; taken when the limit was raised", rate, up, oldest)})
}
