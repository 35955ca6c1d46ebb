package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

func created(order, customer, street string) events.OrderCreated {
	home := events.Address{Street: street, City: "Anytown", Zip: "12345", Country: "US"}
	return events.OrderCreated{
		OrderID: order, CustomerID: customer, TotalAmount: 100, Currency: "USD", Status: "pending", ShippingAddress: home, BillingAddress: home,
		Items: []events.Item{{ProductID: "p", Quantity: 1, UnitPrice: 100, TotalPrice: 100}},
	}
}

// message is an event from elsewhere, as bytes and decoded.
func message(t *testing.T, p events.Payload, at time.Time) *events.Decoded {
	t.Helper()
	c := p.Contract()
	raw, err := events.Encode(events.Envelope{EventID: uuid.New(), CorrelationID: "c", Timestamp: at, SourceService: c.Publisher, EventVersion: c.Version, EventType: c.Type}, p)
	require.NoError(t, err)
	d, err := events.Platform().Decode(raw)
	require.NoError(t, err)
	return d
}

func arrival(d *events.Decoded) store.Arrival {
	return store.Arrival{EventID: d.Envelope.EventID, Digest: d.Digest(), Subject: d.Subject(), At: d.Envelope.Timestamp}
}

func park(d *events.Decoded) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		return tx.Park(ctx, store.Parked{EventID: d.Envelope.EventID, Topic: "t", EventType: d.Envelope.EventType, Key: d.Key, State: store.Waiting, Code: "c", Payload: d.Raw})
	}
}

// files searches everything in a folder.
func files(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(text)) {
			found = append(found, path)
		}
		return err
	}))
	return found
}

func erase(t *testing.T, st *store.Store, customer string) store.Erasure {
	t.Helper()
	e, err := st.Erase(t.Context(), customer, nil)
	require.NoError(t, err)
	return e
}

func TestErasedDataStandsNowhere(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir, nil)
	now := time.Now().Add(-time.Minute)
	parked, foreign := message(t, created("order_2", "cust_1", "2 Parked Road"), now), message(t, created("order_3", "cust_1", "3 Foreign Lane"), now)
	for _, do := range []func(context.Context, *store.Tx) error{
		func(_ context.Context, tx *store.Tx) error {
			require.NoError(t, tx.Emit(created("order_1", "cust_1", "1 Main Street")))
			return tx.Emit(created("order_9", "cust_2", "9 Other Street"))
		},
		func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Accept(ctx, foreign)
			return err
		},
		park(parked),
		func(ctx context.Context, tx *store.Tx) error {
			return tx.Park(ctx, store.Parked{Topic: "t", State: store.Dead, Refused: true, Code: "malformed", Detail: `/currency: is "8 Quoted Way"`, Payload: []byte(`{"customer_id":"cust_1","street":"4 Broken Alley"`)})
		},
		func(ctx context.Context, tx *store.Tx) error {
			return tx.Park(ctx, store.Parked{Topic: "t", State: store.Dead, Refused: true, Code: "malformed", Payload: []byte(`{"customer_id":"cust_12","street":"7 Neighbour Street"`)})
		},
		func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO outbox_external (event, code, refused_at) VALUES ($1, 'malformed', 1)", `{"customer_id": "cust_1", "street": "6 Refused Row"}`)
			return err
		},
		func(ctx context.Context, tx *store.Tx) error { // what was deleted long ago is still in the file
			return tx.Park(ctx, store.Parked{Topic: "t", State: store.Waiting, Code: "c", Key: "gone", Payload: message(t, created("order_5", "cust_1", "5 Forgotten Path"), now).Raw})
		},
		func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM parked WHERE key = 'gone'")
			return err
		},
	} {
		require.NoError(t, st.Do(t.Context(), do))
	}
	secrets := []string{"1 Main Street", "2 Parked Road", "3 Foreign Lane", "4 Broken Alley", "5 Forgotten Path", "6 Refused Row", "8 Quoted Way"}
	if database == "sqlite" {
		for _, secret := range secrets {
			require.NotEmpty(t, files(t, dir, secret), "the search finds %s while it is there", secret)
		}
	}

	e := erase(t, st, "cust_1")
	require.EqualValues(t, 2, e.Recorded)
	require.EqualValues(t, 3, e.Parked)
	for _, secret := range secrets {
		require.Empty(t, files(t, dir, secret), secret)
	}
	if database == "sqlite" {
		require.NotEmpty(t, files(t, dir, "7 Neighbour Street"), "cust_12 is somebody else")
	}
	rows := recorded(t, st)
	require.Len(t, rows, 3)
	for i, street := range []string{events.Erased, "9 Other Street", events.Erased} {
		d, err := events.Platform().Decode(rows[i].Payload)
		require.NoError(t, err, "a redacted event can still be handled")
		require.Equal(t, street, d.Payload.(events.OrderCreated).ShippingAddress.Street)
	}
	again := erase(t, st, "cust_1")
	require.Zero(t, again.Recorded+again.Parked, "repeated, it finds nothing more")
}

func TestAnErasureThatWasCutShortIsRepeated(t *testing.T) {
	dir := t.TempDir()
	var left atomic.Int64 // commits until the database fails
	left.Store(1 << 30)
	st := open(t, dir, func(o *store.Options) {
		o.Failpoint = func(string) error {
			if left.Add(-1) < 0 {
				return errors.New("power cut")
			}
			return nil
		}
	})
	require.NoError(t, st.Do(t.Context(), func(_ context.Context, tx *store.Tx) error {
		return tx.Emit(created("order_1", "cust_1", "1 Main Street"))
	}))
	require.NoError(t, st.Do(t.Context(), park(message(t, created("order_2", "cust_1", "2 Parked Road"), time.Now().Add(-time.Minute)))))
	for commits := range int64(3) {
		left.Store(commits)
		_, err := st.Erase(t.Context(), "cust_1", nil)
		require.ErrorContains(t, err, "power cut", "after %d commits", commits)
	}
	left.Store(1 << 30)
	erase(t, st, "cust_1")
	require.Empty(t, append(files(t, dir, "1 Main Street"), files(t, dir, "2 Parked Road")...))
	for _, row := range recorded(t, st) {
		require.NotContains(t, string(row.Payload), "1 Main Street")
	}
}

func TestTheOriginalOfARedactedEventIsADuplicate(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	before := time.Now().Add(-time.Minute)
	original, other := message(t, created("order_1", "cust_1", "1 Main Street"), before), message(t, created("order_2", "cust_2", "2 Main Street"), before)
	raw, err := original.Redacted()
	require.NoError(t, err)
	redacted, err := events.Platform().Decode(raw)
	require.NoError(t, err)
	tampered := *other
	tampered.Raw = bytes.Replace(tampered.Raw, []byte("2 Main"), []byte("3 Main"), 1)
	arrive := func(d *events.Decoded) (fresh bool, err error) {
		err = st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, fresh, err = tx.Arrive(ctx, arrival(d))
			return err
		})
		return fresh, err
	}
	accept := func(d *events.Decoded) (duplicate bool, err error) {
		err = st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			duplicate, err = tx.Accept(ctx, d)
			return err
		})
		return duplicate, err
	}
	for _, d := range []*events.Decoded{original, other} {
		fresh, err := arrive(d)
		require.NoError(t, err)
		require.True(t, fresh)
		_, err = accept(d)
		require.NoError(t, err)
	}
	_, err = arrive(redacted)
	require.ErrorIs(t, err, store.ErrConflict, "nobody was erased yet")
	erase(t, st, "cust_1")
	for _, d := range []*events.Decoded{original, redacted} {
		fresh, err := arrive(d)
		require.NoError(t, err)
		require.False(t, fresh)
		duplicate, err := accept(d)
		require.NoError(t, err)
		require.True(t, duplicate)
	}
	_, err = arrive(&tampered)
	require.ErrorIs(t, err, store.ErrConflict, "others' events are compared as ever")
	_, err = accept(&tampered)
	require.ErrorIs(t, err, store.ErrConflict)
}

func TestWhatComesLateIsParkedRedacted(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir, nil)
	erase(t, st, "cust_1")
	late, next := message(t, created("order_1", "cust_1", "1 Late Street"), time.Now().Add(-time.Minute)), message(t, created("order_2", "cust_1", "2 Next Street"), time.Now().Add(time.Minute))
	require.NoError(t, st.Do(t.Context(), park(late)))
	require.NoError(t, st.Do(t.Context(), park(next)))
	var payloads []string
	require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) (err error) {
		payloads, err = store.All(ctx, r, func(s store.Scanner) (text string, err error) {
			var raw []byte
			err = s.Scan(&raw)
			return string(raw), err
		}, "SELECT payload FROM parked ORDER BY id")
		return err
	}))
	require.NotContains(t, payloads[0], "Late Street")
	require.Contains(t, payloads[1], "Next Street", "who comes back is served")
}
