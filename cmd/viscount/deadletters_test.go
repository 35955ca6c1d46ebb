package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// troubled serves a consumer of payment.failed, three of which it has failed at; it goes on failing until mend.
func troubled(t *testing.T) (url string, mend func()) {
	t.Helper()
	var mended atomic.Bool
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0"}})
	require.NoError(t, err)
	loaded.Config.Router.Retry = config.Retry{}
	a, err := app.Start(t.Context(), app.Options{
		Config: loaded.Config, Driver: gochannel.Driver, Platform: true, Logger: slog.New(slog.DiscardHandler),
		Consumers: []router.Consumer{router.Assemble("rewards", nil, router.On(func(_ context.Context, _ *store.Tx, e events.Event[events.ProductCreated]) error {
			if mended.Load() {
				return nil
			}
			return errors.New("no shelf for " + e.Data.ProductID)
		}))},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, a.Stop(ctx))
	})
	c := (&globals{URL: a.URL()}).client()
	for n := range 3 {
		var product map[string]any
		require.NoError(t, c.post(t.Context(), "/products", "application/json", fmt.Appendf(nil, `{"product_id":"prod_%d","name":"Tea","category_id":"c","price":"1"}`, n), &product))
	}
	require.Eventually(t, func() bool {
		groups, err := readGroups(t.Context(), c, nil)
		return err == nil && len(groups.Items) == 1 && groups.Items[0].Count == 3
	}, 20*time.Second, 10*time.Millisecond)
	return a.URL(), func() { mended.Store(true) }
}

func TestAnOperatorMendsAFailureFromTheCommandLine(t *testing.T) {
	url, mend := troubled(t)
	viscount := func(code int, args ...string) (out, problem string) {
		t.Helper()
		out, problem, got := run(t, "", append(args, "--url", url)...)
		require.Equal(t, code, got, "%v: %s %s", args, out, problem)
		return out, problem
	}
	out, _ := viscount(exitNo, "status")
	require.Contains(t, out, "a person is needed:\n✗ rewards has 3 dead letters\n  3 × product.created handler_failed: no shelf for prod_")
	require.Contains(t, out, "next: viscount dead-letters groups --service rewards")
	out, _ = viscount(0, "dead-letters", "groups", "-o", "json")
	var groups listed[api.DeadLetterGroup]
	require.NoError(t, json.Unmarshal([]byte(out), &groups))
	fingerprint := groups.Items[0].Fingerprint
	out, _ = viscount(0, "dead-letters", "groups", "--service", "rewards")
	require.Contains(t, out, fingerprint)
	out, _ = viscount(0, "dead-letters", "list", "--key", "prod_1", "--since", "1h")
	require.Equal(t, 2, strings.Count(out, "\n"))
	viscount(exitUsage, "dead-letters", "list", "--since", "yesterday")
	out, _ = viscount(0, "dead-letters", "list", "--key", "nobody")
	require.Empty(t, out)
	out, _ = viscount(0, "dead-letters", "show", "rewards-1")
	require.Contains(t, out, `"product_id": "prod_`)
	viscount(exitNo, "dead-letters", "show", "rewards-99")
	viscount(exitUsage, "dead-letters", "show", "rewards-1", "--unmask")

	_, problem := viscount(exitUsage, "dead-letters", "requeue", "--reason", "r")
	require.Contains(t, problem, "or say --all")
	viscount(exitUsage, "dead-letters", "requeue", "--all", "--service", "rewards", "--reason", "r")
	_, problem = viscount(exitUsage, "dead-letters", "requeue", "--all")
	require.Contains(t, problem, "--reason is required")
	_, problem = viscount(exitUsage, "dead-letters", "requeue", "--all", "--reason", "r")
	require.Contains(t, problem, "--yes")
	out, _ = viscount(exitNo, "dead-letters", "requeue", "--fingerprint", fingerprint, "--dry-run")
	require.Contains(t, out, "3 dead letters: 3 failed")
	out, _ = viscount(exitNo, "dead-letters", "requeue", "--all", "--reason", "hope", "--yes")
	require.Contains(t, out, "it failed as before; 2 dead letters not touched")

	mend()
	out, _ = viscount(0, "dead-letters", "requeue", "--fingerprint", fingerprint, "--dry-run")
	require.Contains(t, out, "3 dead letters: 3 applied\nnothing was changed")
	viscount(0, "pause", "rewards", "--reason", "maintenance")
	out, _ = viscount(0, "dead-letters", "requeue", "--key", "prod_0", "--limit", "1", "--reason", "mended")
	require.Contains(t, out, "1 waiting\n  1 × not handled, waits: the consumer is paused (viscount waiting list --code paused)")
	viscount(0, "resume", "rewards", "--reason", "done")
	out, _ = viscount(0, "dead-letters", "discard", "--key", "prod_1", "--reason", "not needed", "-o", "json")
	require.Contains(t, out, `"discarded": 1`)
	viscount(0, "dead-letters", "release", "prod_2", "--reason", "go on")
	out, _ = viscount(0, "dead-letters", "requeue", "--all", "--reason", "mended", "--yes")
	require.Contains(t, out, "requeued 1 dead letter: 1 applied")
	_, problem = viscount(exitNo, "dead-letters", "requeue", "rewards-1", "rewards-2", "--reason", "again", "--yes")
	require.Contains(t, problem, "none of these is a dead letter")
	_, problem = viscount(exitNo, "dead-letters", "release", "prod_2", "--reason", "again")
	require.Contains(t, problem, "nothing to release")
	ended := map[string]int{}
	for _, letter := range []string{"rewards-1", "rewards-2", "rewards-3"} {
		_, problem = viscount(exitNo, "dead-letters", "show", letter)
		told := regexp.MustCompile(letter + ` is no dead letter any more; last done with it: (.*) by \S+ at 20\S+Z: (.*)$`).FindStringSubmatch(problem)
		require.Len(t, told, 3, problem)
		ended[told[1]+", "+told[2]]++
	}
	require.Equal(t, map[string]int{"requeue, mended": 2, "discard, not needed": 1}, ended)
	out, _ = viscount(0, "status")
	require.Contains(t, out, "no person is needed")

	viscount(exitUsage, "pause", "payments")
	viscount(0, "pause", "payments", "--reason", "maintenance")
	out, _ = viscount(exitNo, "status")
	require.Contains(t, out, "payments is paused: maintenance by anonymous\n  next: viscount resume payments --reason WHY")
	viscount(0, "resume", "payments", "--reason", "done")
	viscount(exitNo, "pause", "nobody", "--reason", "r")
	viscount(0, "waiting", "list", "-o", "json")
	for _, mistyped := range [][]string{
		{"waiting", "list", "--state", "dead"}, {"waiting", "list", "--code", "held"}, {"dead-letters", "list", "--code", "held"}, {"dead-letters", "groups", "--code", "held"},
		{"dead-letters", "requeue", "--code", "held", "--dry-run"}, {"dead-letters", "discard", "--code", "held", "--dry-run"},
	} {
		_, problem = viscount(exitUsage, mistyped...)
		require.Regexp(t, `"(held|dead)": must be one of .*(retrying|handler_failed)`, problem, "it can match nothing, which is no all-clear")
	}
	viscount(0, "waiting", "list", "--code", "key_held")
	viscount(0, "dead-letters", "list", "--code", "malformed_json")
}

// However many causes there are, status stays on one screen.
func TestStatusShowsTheLargestCauses(t *testing.T) {
	groups := []api.DeadLetterGroup{{Service: "orders", Type: "t", Code: "c", Detail: "another's", Count: 9}}
	for n := range 5 {
		groups = append(groups, api.DeadLetterGroup{Service: "rewards", Type: "t", Code: "c", Detail: fmt.Sprint("cause ", n), Count: int64(8 - n), HeldBehind: int64(n)})
	}
	require.Equal(t, `
  8 × t c: cause 0
  7 × t c: cause 1 (1 events wait behind)
  6 × t c: cause 2 (2 events wait behind)
  and 2 more: viscount dead-letters groups --service rewards`, causesOf("rewards", groups))
	require.NotContains(t, causesOf("rewards", groups[:4]), "more")
	require.Empty(t, causesOf("search", groups))
}

// TestWrongPlacesOfAPayloadAreMarked: beside the value, where a field is missing, and what has no place.
func TestWrongPlacesOfAPayloadAreMarked(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, printPayload(&out, api.DeadLetterDetail{
		Payload: jsontext.Value(`{"event_type":"order.created","data":{"items":[{"quantity":0},{}],"note":"\u001b[2J","more":"` + "\u009b\u202e" + `"}}`),
		Problems: []events.Problem{
			{Path: "/data/items/0/quantity", Code: events.InvalidValue, Detail: "must be at least 1"}, {Path: "/data/items/1/quantity", Code: events.MissingField, Detail: "is required"},
			{Path: "/data/items", Code: events.WrongType, Detail: "too few"}, {Path: "/nowhere/else", Code: events.MissingField, Detail: "is required"}, {Code: events.TooLarge, Detail: "too large"},
		},
	}))
	require.Equal(t, `  {
    "event_type": "order.created",
    "data": {
      "items": [   ◀ wrong_type: too few
        {
          "quantity": 0   ◀ invalid_value: must be at least 1
        },
        {
          (quantity)   ◀ missing_field: is required
        }
      ],
      "note": "\u001b[2J",
      "more": "`+"\uFFFD\uFFFD"+`"
    }
  }
  ◀ /nowhere/else: missing_field: is required
  ◀ too_large: too large
`, out.String())
	out.Reset()
	require.NoError(t, printPayload(&out, api.DeadLetterDetail{Text: "a\x1b[2Jb\nc"}))
	require.Equal(t, "  a\uFFFD[2Jb\n  c\n", out.String(), "foreign bytes move no cursor")
	out.Reset()
	require.NoError(t, printPayload(&out, api.DeadLetterDetail{Withheld: true}))
	require.Contains(t, out.String(), "--unmask")
}
