package notifications_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/store"
)

func TestMailWaitsForTheEndOfQuietHours(t *testing.T) {
	f := newKit(t) // 12:00 UTC is 13:00 in Berlin
	c := ada
	c.Quiet = notifications.QuietHours{From: "12:30", To: "07:00", Zone: "Europe/Berlin"}
	f.put(c)
	f.Receive(created("order_1"))
	require.Len(t, f.post.hooks, 1, "a webhook does not sleep")
	require.Empty(t, f.post.mails)
	require.Len(t, f.list(notifications.Filter{Status: notifications.Scheduled}), 1)
	c.Email = "ada@new.example.org"
	f.put(c)
	f.Advance(17*time.Hour + 59*time.Minute)
	require.Empty(t, f.post.mails)
	f.Advance(time.Minute)
	require.Len(t, f.post.mails, 1)
	require.Equal(t, "ada@new.example.org", f.post.mails[0].To, "where she is reached now")
	f.WantIdempotent()
}

func TestADigestWaitsForTheEndOfQuietHours(t *testing.T) {
	f := newKit(t)
	c := ada
	c.Webhook = ""
	c.Quiet = notifications.QuietHours{From: "12:10", To: "20:00"}
	f.put(c)
	price := func() { f.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 100, NewPrice: 90}) }
	price() // at 12:00
	require.Len(t, f.post.mails, 1)
	f.Advance(time.Minute)
	price()
	f.Advance(14 * time.Minute)
	require.Len(t, f.post.mails, 1, "the digest of 12:15 is quiet")
	price()
	f.Advance(7*time.Hour + 44*time.Minute)
	require.Len(t, f.post.mails, 1)
	f.Advance(time.Minute)
	require.Len(t, f.post.mails, 2)
	require.Equal(t, "2 notices about products", f.post.mails[1].Subject)

	c.Quiet = notifications.QuietHours{From: "20:00", To: "22:00"}
	f.put(c)
	f.Advance(time.Hour)
	price()
	price()
	require.Equal(t, notifications.Gathering, f.list(notifications.Filter{})[0].Status, "the first of the quiet hours waits for others")
	f.Advance(time.Hour)
	require.Len(t, f.post.mails, 3)
	require.Equal(t, "2 notices about products", f.post.mails[2].Subject)
	f.WantIdempotent()
	require.Len(t, f.post.mails, 3)
}

func TestFurtherAttemptsWaitForTheEndOfQuietHours(t *testing.T) {
	f := newKit(t)
	c := ada
	c.Webhook = ""
	c.Quiet = notifications.QuietHours{From: "12:01", To: "20:00"}
	f.put(c)
	f.post.answer = notifications.Answer{Again: true, Detail: "451 4.7.1"}
	f.Receive(created("order_1"))
	f.Advance(10 * time.Second)
	require.Len(t, f.post.mails, 2)
	f.Advance(time.Minute)
	require.Len(t, f.post.mails, 2, "the third attempt would be quiet")
	require.Equal(t, time.Date(2026, 1, 15, 20, 0, 0, 0, time.UTC), f.only().DueAt)

	f.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.s.Resend(ctx, tx, f.only().MessageID)
		return err
	})
	require.Len(t, f.post.mails, 3, "an operator may")
	f.Advance(10 * time.Second)
	require.Len(t, f.post.mails, 3, "and what follows waits")
	f.post.answer = notifications.Answer{Sent: true}
	f.Advance(8 * time.Hour)
	require.Len(t, f.post.mails, 4)
	require.Equal(t, notifications.Sent, f.only().Status)
	f.WantIdempotent()
}

func TestQuietHoursEndWhereTheCustomerLives(t *testing.T) {
	at := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at.UTC()
	}
	for name, c := range map[string]struct {
		from, to, zone, now, next string
	}{
		"by day":                     {"12:00", "14:00", "UTC", "2026-01-15T13:00:00Z", "2026-01-15T14:00:00Z"},
		"before":                     {"12:00", "14:00", "UTC", "2026-01-15T11:59:59Z", "2026-01-15T11:59:59Z"},
		"the end is not quiet":       {"12:00", "14:00", "UTC", "2026-01-15T14:00:00Z", "2026-01-15T14:00:00Z"},
		"over midnight, in evening":  {"22:00", "07:00", "Europe/Berlin", "2026-01-15T21:30:00Z", "2026-01-16T06:00:00Z"},
		"over midnight, in morning":  {"22:00", "07:00", "Europe/Berlin", "2026-01-16T05:59:00Z", "2026-01-16T06:00:00Z"},
		"over midnight, by day":      {"22:00", "07:00", "Europe/Berlin", "2026-01-16T12:00:00Z", "2026-01-16T12:00:00Z"},
		"the night clocks go ahead":  {"22:00", "07:00", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T05:00:00Z"},
		"the last night of the year": {"22:00", "07:00", "America/New_York", "2027-01-01T04:30:00Z", "2027-01-01T12:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			q := notifications.QuietHours{From: c.from, To: c.to, Zone: c.zone}
			_, err := q.Check()
			require.NoError(t, err)
			require.Equal(t, at(c.next), q.Next(at(c.now)))
		})
	}
	for member, q := range map[string]notifications.QuietHours{
		"from": {From: "25:00", To: "07:00"}, "to": {From: "22:00", To: "22:00"}, "timezone": {From: "22:00", To: "07:00", Zone: "Mars/Olympus"},
	} {
		found, err := q.Check()
		require.Error(t, err)
		require.Equal(t, member, found)
	}
}
