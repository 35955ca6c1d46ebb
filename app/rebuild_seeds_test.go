package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// history are recorded events, topic by topic.
type history []router.Recorded

// recordedBy reads what the services of a platform recorded.
func recordedBy(t *testing.T, a *app.App) (all history) {
	t.Helper()
	for _, s := range a.Services() {
		require.NoError(t, s.Store().View(t.Context(), func(ctx context.Context, r store.Reader) error {
			rows, err := store.Recorded(ctx, r, 0, 1_000_000)
			for _, row := range rows {
				all = append(all, router.Recorded{EventID: row.EventID, Topic: row.Topic, Key: row.Key, Sequence: row.Sequence, CausationID: row.CausationID, Payload: row.Payload})
			}
			return err
		}))
	}
	return all
}

func (h history) of(topics []string) history {
	return slices.DeleteFunc(slices.Clone(h), func(e router.Recorded) bool { return !slices.Contains(topics, e.Topic) })
}

// Count implements router.Recorder.
func (h history) Count(_ context.Context, topics []string) (int64, error) {
	return int64(len(h.of(topics))), nil
}

// Read implements router.Recorder.
func (h history) Read(_ context.Context, topics []string, after string) ([]router.Recorded, string, bool, error) {
	if after != "" {
		return nil, after, false, nil
	}
	return h.of(topics), "end", false, nil
}

// disordered gives a key's events in an order in which they may arrive: in order per topic, and 30 % of them again.
func disordered(random *rand.Rand, recorded []router.Recorded) (all []router.Recorded) {
	topics := map[string][]router.Recorded{}
	var names []string
	for _, e := range recorded {
		if len(topics[e.Topic]) == 0 {
			names = append(names, e.Topic)
		}
		topics[e.Topic] = append(topics[e.Topic], e)
	}
	for len(names) > 0 {
		i := random.IntN(len(names))
		queue := topics[names[i]]
		all = append(all, queue[0])
		if topics[names[i]] = queue[1:]; len(queue) == 1 {
			names = slices.Delete(names, i, i+1)
		}
		if random.IntN(10) < 3 {
			all = append(all, all[random.IntN(len(all))])
		}
	}
	return all
}

// TestRebuiltIsLiveRowByRow receives the same events in several orders of arrival with 30 % duplicates, in databases of their
// own, and rebuilds each: every row must be the platform's. TEST_ORDERS says how many orders there were, TEST_SEEDS how many
// orders of arrival, TEST_SEED which is the first; 5,000 and 20 take ten minutes.
func TestRebuiltIsLiveRowByRow(t *testing.T) {
	orders, seeds, first := setting("TEST_ORDERS", 60), setting("TEST_SEEDS", 5), setting("TEST_SEED", 0)
	a := start(t, t.TempDir(), nil)
	defer stop(t, a)
	crowd(t, a, orders, 11)
	past := recordedBy(t, a)
	live := map[string][]string{}
	for _, s := range rebuildable(a) {
		live[s.Name()] = rowsOf(t, s.Store(), s.Consumer().Rebuild.Tables)
		require.NotEmpty(t, live[s.Name()])
	}
	for seed := first; seed < first+seeds; seed++ {
		for _, s := range rebuildable(a) {
			began, want, tables := time.Now(), live[s.Name()], s.Consumer().Rebuild.Tables
			what := fmt.Sprintf("seed %d: %s", seed, s.Name())
			st := received(t, s.Consumer(), past, uint64(seed))
			requireSame(t, want, rowsOf(t, st.Store(), tables), what)
			standing, err := st.RunRebuild(t.Context(), past, false)
			require.NoError(t, err)
			require.Equal(t, router.RebuildDone, standing.State, standing.Detail)
			requireSame(t, want, rowsOf(t, st.Store(), tables), what+", rebuilt")
			require.NoError(t, st.Store().Close())
			t.Logf("%s: %d events, %d rows alike, received and rebuilt, in %v", what, standing.Done, len(want), time.Since(began).Round(time.Millisecond))
		}
	}
}

// setting is a number that the environment may set.
func setting(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// received is a consumer on a new database that has received a history in some disorder.
func received(t *testing.T, c router.Consumer, past history, seed uint64) *router.Service {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(t.Context(), store.Options{Service: c.Name, Dir: t.TempDir(), Migrations: c.Migrations, Catalogue: events.Platform(), Logger: log})
	require.NoError(t, err)
	service, err := router.NewService(t.Context(), c, st, router.Options{Logger: log})
	require.NoError(t, err)
	keys := map[string][]router.Recorded{}
	for _, e := range past.of(c.Topics()) {
		keys[e.Key] = append(keys[e.Key], e)
	}
	var group errgroup.Group
	group.SetLimit(64)
	for key, recorded := range keys {
		lane := disordered(rand.New(rand.NewPCG(seed, uint64(len(key)+len(recorded)))), recorded)
		group.Go(func() error {
			for _, e := range lane {
				msg := message.NewMessage(e.EventID.String(), e.Payload)
				msg.Metadata.Set(router.MetaEventID, e.EventID.String())
				msg.Metadata.Set(router.MetaSequence, strconv.FormatInt(e.Sequence, 10))
				if err := service.Deliver(t.Context(), e.Topic, msg); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	_, err = service.Recover(t.Context())
	require.NoError(t, err)
	return service
}
