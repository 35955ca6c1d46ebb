package api

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// feed follows the outbox of a service at its peers, a page ahead of the stream that it is for.
type feed struct {
	peer  *peer
	began chan struct{} // closed when the first page is there, or cannot be had

	mu   sync.Mutex
	rows []outboxRow
	note string        // what its reader should know
	room chan struct{} // the page was taken
}

const (
	feedFirst = 100 * time.Millisecond // pause after a failure, which doubles
	feedMost  = 5 * time.Second
)

// openFeeds follows the outboxes of f.peers from their positions. It returns when each has had its first say, so that a stream
// from the beginning comes in the order of time.
func (s *Server) openFeeds(c *gin.Context, f filter, at map[string]int64, news chan struct{}) (feeds []*feed, stop func()) {
	ctx, cancel := context.WithCancel(c.Request.Context())
	var running sync.WaitGroup
	for _, p := range f.peers {
		one := &feed{peer: p, began: make(chan struct{}), room: make(chan struct{}, 1)}
		feeds = append(feeds, one)
		after := at[p.Service]
		running.Go(func() { one.follow(ctx, askerFor(c), after, f.topics[p.Service], news) })
	}
	for _, one := range feeds {
		select {
		case <-one.began:
		case <-ctx.Done():
		case <-s.closed:
		}
	}
	return feeds, func() {
		cancel()
		running.Wait()
	}
}

// follow fetches page after page until ctx ends. It waits for news at the peer, and for room here.
func (f *feed) follow(ctx context.Context, a asker, after int64, topics []string, news chan struct{}) {
	var begun sync.Once
	lost, pause := false, feedFirst
	for wait := false; ctx.Err() == nil; wait = true {
		query := url.Values{"service": {f.peer.Service}, "after": {strconv.FormatInt(after, 10)}, "topic": topics, "wait": {strconv.FormatBool(wait)}}
		var page outboxPage
		err := a.get(ctx, f.peer, "/peers/outbox", query, outboxWait+askTimeout, &page)
		switch {
		case err != nil && ctx.Err() == nil && !lost:
			f.put(nil, err.Error()+"; its events come when it answers again", news)
		case len(page.Rows) > 0:
			after = page.Rows[len(page.Rows)-1].ID
			f.put(page.Rows, "", news)
		}
		begun.Do(func() { close(f.began) })
		lost = err != nil
		if lost {
			sleep(ctx, pause)
			pause = min(2*pause, feedMost)
			continue
		}
		pause = feedFirst
		if len(page.Rows) > 0 {
			select {
			case <-f.room:
			case <-ctx.Done():
			}
		}
	}
}

func (f *feed) put(rows []outboxRow, note string, news chan struct{}) {
	f.mu.Lock()
	f.rows, f.note = append(f.rows, rows...), cmp.Or(note, f.note)
	f.mu.Unlock()
	wake(news)
}

// take gives what came since the last time.
func (f *feed) take() (rows []outboxRow, note string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows, note, f.rows, f.note = f.rows, f.note, nil, ""
	if len(rows) > 0 {
		wake(f.room)
	}
	return rows, note
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
