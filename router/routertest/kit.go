// Package routertest is the kit for handler authors: the production chain on a real database in a temporary folder, a clock
// that is moved by hand, and no broker. A test takes milliseconds. With TEST_POSTGRES set to the URL of a server, the
// same tests run on PostgreSQL.
package routertest

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// Kit is one service under test.
type Kit struct {
	t         testing.TB
	service   *router.Service
	store     *store.Store
	moved     atomic.Int64 // how far the clock was moved; stores read it beside the test
	received  []delivery   // every event so far, for WantIdempotent
	last      delivery
	mark      int64 // outbox row before the last action
	sequences map[string]int64

	recorded  []delivery // recorded by their publishers, but not received
	forgotten []string   // parts of topics that are no longer recorded
	afterRead func()     // runs after each reading of recorded events
}

// delivery is an event as it was received, to be received again.
type delivery struct {
	id       uuid.UUID
	topic    string
	raw      []byte
	metadata message.Metadata
}

// Start is the kit's first time.
var start = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// New makes a kit for handlers and jobs of one service on its own tables. A failing handler is a dead letter at once: retries
// are the chain's business and tested there.
func New(t testing.TB, migrations fs.FS, parts ...router.Part) *Kit {
	t.Helper()
	return NewWith(t, events.Platform(), router.Settings{}, migrations, parts...)
}

// NewWith is New with other contracts and settings.
func NewWith(t testing.TB, catalogue *events.Catalogue, settings router.Settings, migrations fs.FS, parts ...router.Part) *Kit {
	t.Helper()
	return newKit(t, catalogue, settings, router.Assemble("test", migrations, parts...))
}

// For makes a kit for a consumer as it is given to app.Main, with the contracts that it brings beside the platform's.
func For(t testing.TB, c router.Consumer) *Kit {
	t.Helper()
	catalogue, err := events.Platform().With(c.Contracts...)
	if err != nil {
		t.Fatalf("the contracts of %s: %v", c.Name, err)
	}
	return newKit(t, catalogue, router.Settings{}, c)
}

func newKit(t testing.TB, catalogue *events.Catalogue, settings router.Settings, c router.Consumer) *Kit {
	t.Helper()
	k := &Kit{t: t, sequences: map[string]int64{}}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	o := store.Options{Service: c.Name, Catalogue: catalogue, Migrations: c.Migrations, Logger: log, Clock: k.Now}
	if os.Getenv("TEST_POSTGRES") != "" {
		o.Postgres.URL = postgrestest.Database(t)
	} else {
		o.Dir = t.TempDir()
	}
	k.store, err = store.Open(t.Context(), o)
	k.must(err, "opening the database")
	t.Cleanup(func() { k.must(k.store.Close(), "closing the database") })
	k.service, err = router.NewService(t.Context(), c, k.store, router.Options{Settings: settings, Logger: log})
	k.must(err, "making the service")
	k.register()
	return k
}

func (k *Kit) must(err error, doing string) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("%s: %v", doing, err)
	}
}

// Now is the kit's time, which every handler sees.
func (k *Kit) Now() time.Time { return start.Add(time.Duration(k.moved.Load())) }

// Service is the service under test: what an operator does with its dead letters (Requeue, TryOut, Discard, Release).
func (k *Kit) Service() *router.Service { return k.service }

// Settle runs what is due now: what an operator's action set free.
func (k *Kit) Settle() { k.t.Helper(); k.quiet() }

// Do runs a command in a transaction, as the API does.
func (k *Kit) Do(fn func(ctx context.Context, tx *store.Tx) error) {
	k.t.Helper()
	k.must(k.Try(fn), "the command")
}

// Try is Do for commands that are expected to fail.
func (k *Kit) Try(fn func(ctx context.Context, tx *store.Tx) error) error {
	k.t.Helper()
	k.begin()
	err := k.store.Do(store.WithOrigin(k.t.Context(), store.Origin{CorrelationID: "request"}), fn)
	k.quiet()
	return err
}

// AfterRecorded has f run after each reading of recorded events in a rebuild, to act in the middle of one.
func (k *Kit) AfterRecorded(f func()) { k.afterRead = f }

// View runs a query.
func (k *Kit) View(fn func(ctx context.Context, r store.Reader) error) {
	k.t.Helper()
	k.must(k.store.View(k.t.Context(), fn), "the query")
}

// Receive handles an event as it comes from its publisher, numbered per key, and answers its id.
func (k *Kit) Receive(p events.Payload) uuid.UUID {
	k.t.Helper()
	return k.receiveRaw(k.written(p, k.next(p), k.Now()))
}

// next is the number that its publisher gives an event.
func (k *Kit) next(p events.Payload) int64 {
	name := p.Contract().Publisher + "/" + events.KeyOf(p)
	k.sequences[name]++
	return k.sequences[name]
}

// ReceiveForeign handles an event from a source that sends no sequence, written at the given time.
func (k *Kit) ReceiveForeign(p events.Payload, at time.Time) uuid.UUID {
	k.t.Helper()
	return k.receiveRaw(k.written(p, 0, at))
}

// written is an event as its publisher writes it.
func (k *Kit) written(p events.Payload, sequence int64, at time.Time) delivery {
	k.t.Helper()
	contract := p.Contract()
	id := uuid.Must(uuid.NewV7())
	raw, err := events.Encode(events.Envelope{
		EventID: id, CorrelationID: "about_" + events.KeyOf(p), Timestamp: at, SourceService: contract.Publisher, EventVersion: contract.Version, EventType: contract.Type,
	}, p)
	k.must(err, "writing the event")
	metadata := message.Metadata{router.MetaEventID: id.String()}
	if sequence > 0 {
		metadata[router.MetaSequence] = strconv.FormatInt(sequence, 10)
	}
	return delivery{id: id, topic: contract.Topic(), raw: raw, metadata: metadata}
}

// ReceiveRaw handles any bytes on a topic, well-formed or not; id is the event's, for the Want functions.
func (k *Kit) ReceiveRaw(topic string, id uuid.UUID, raw []byte, metadata message.Metadata) {
	k.t.Helper()
	k.receiveRaw(delivery{id: id, topic: topic, raw: raw, metadata: metadata})
}

func (k *Kit) receiveRaw(d delivery) uuid.UUID {
	k.t.Helper()
	k.last = d
	k.received = append(k.received, d)
	k.begin()
	k.deliver(d)
	k.quiet()
	return d.id
}

func (k *Kit) deliver(d delivery) {
	k.t.Helper()
	msg := message.NewMessage(d.id.String(), d.raw)
	for name, value := range d.metadata {
		msg.Metadata.Set(name, value)
	}
	k.must(k.service.Deliver(k.t.Context(), d.topic, msg), "delivering")
}

// Advance moves the clock and runs what comes due on the way: jobs, retries, waits.
func (k *Kit) Advance(d time.Duration) {
	k.t.Helper()
	k.begin()
	k.moved.Add(int64(d))
	k.quiet()
}

// begin marks where the events of the next action start.
func (k *Kit) begin() {
	k.t.Helper()
	k.View(func(ctx context.Context, r store.Reader) (err error) {
		k.mark, err = store.LastRow(ctx, r)
		return err
	})
}

// quiet runs jobs and parked events until nothing is due.
func (k *Kit) quiet() {
	k.t.Helper()
	for ran := 1; ran > 0; {
		_, err := k.service.Recover(k.t.Context())
		k.must(err, "recovering parked events")
		ran, err = k.service.RunDueJobs(k.t.Context())
		k.must(err, "running jobs")
	}
}

// WantIdempotent receives every event again, twice and shuffled: no row and no event may differ.
func (k *Kit) WantIdempotent() {
	k.t.Helper()
	before := k.dump()
	again := append(append([]delivery(nil), k.received...), k.received...)
	seed := rand.Uint64()
	k.t.Logf("shuffled with seed %d", seed)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
	for _, d := range again {
		k.deliver(d)
	}
	k.quiet()
	k.wantSame(before, k.dump())
	k.check()
}
