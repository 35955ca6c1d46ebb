package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

const (
	streamBatch     = 256
	streamHeartbeat = 10 * time.Second
	streamLook      = 200 * time.Millisecond // topics tell nobody of news
	streamWrite     = 30 * time.Second       // a reader that takes nothing for so long is cut off, and resumes
)

// stream sends events as server-sent events until the client or the server goes. Where the transport's topics keep them, they are
// read: those of a topic and key in order, whoever published them. Else the outboxes of all services, those at peers too, are
// merged: in order per service, so that the events of a key that one service publishes are in order.
func (s *Server) stream(c *gin.Context) {
	f, err := s.streamFilter(c)
	if err != nil {
		s.refuse(c, err)
		return
	}
	at, err := s.streamStart(c, f)
	if err != nil {
		s.refuse(c, err)
		return
	}
	var stores []*store.Store
	for _, name := range f.services {
		stores = append(stores, s.services[name].Store())
	}
	news, stop := newsOf(stores...)
	defer stop()
	feeds, stopFeeds := s.openFeeds(c, f, at, news)
	defer stopFeeds()
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-store")
	c.Status(http.StatusOK)
	c.Writer.WriteHeaderNow()
	c.Writer.Flush()
	heartbeat, look := time.NewTicker(streamHeartbeat), time.NewTicker(streamLook)
	defer heartbeat.Stop()
	defer look.Stop()
	if s.Topics == nil {
		look.Stop()
	}
	for {
		more, err := s.sendNew(c, f, feeds, at)
		if err != nil {
			return // the client is gone, or comes back with Last-Event-ID
		}
		if more {
			continue
		}
		select {
		case <-c.Request.Context().Done():
			return
		case <-s.closed:
			return
		case <-news:
		case <-look.C:
		case <-heartbeat.C:
			if err := write(c, ": \n\n"); err != nil {
				return
			}
		}
	}
}

// filter is what a reader wants to see.
type filter struct {
	topics      map[string][]string // by service; empty: all of its topics
	heard       []string            // topics, of a transport whose topics are read
	services    []string            // that run here, whose outboxes are read
	peers       []*peer             // of those that do not
	correlation string
}

func (s *Server) streamFilter(c *gin.Context) (filter, error) {
	f := filter{topics: map[string][]string{}, correlation: c.Query("correlation_id")}
	var types []string
	for _, value := range c.QueryArray("type") {
		types = append(types, strings.Split(value, ",")...)
	}
	for _, eventType := range types {
		majors := s.Catalogue.Majors(eventType)
		if len(majors) == 0 {
			return f, &events.Invalid{Problems: []events.Problem{{Code: events.UnknownType, Detail: "no contract is named " + eventType}}}
		}
		for _, d := range majors {
			if s.Topics != nil {
				f.heard = append(f.heard, d.Contract.Topic())
			} else if name, known := s.publisherOf(d.Contract.Publisher); known {
				f.topics[name] = append(f.topics[name], d.Contract.Topic())
			}
		}
	}
	if s.Topics != nil {
		if len(types) == 0 {
			for _, d := range s.Catalogue.All() {
				f.heard = append(f.heard, d.Contract.Topic())
			}
		}
		return f, nil
	}
	for _, name := range s.names() {
		if len(types) == 0 || len(f.topics[name]) > 0 {
			f.services = append(f.services, name)
		}
	}
	for _, p := range s.remote(c) {
		if len(types) == 0 || len(f.topics[p.Service]) > 0 {
			f.peers = append(f.peers, p)
		}
	}
	return f, nil
}

// streamStart is the position per service: of Last-Event-ID, of the beginning, or now.
func (s *Server) streamStart(c *gin.Context, f filter) (map[string]int64, error) {
	at := map[string]int64{}
	if last := cmpOr(c.GetHeader("Last-Event-ID"), c.Query("last_event_id")); last != "" {
		given, err := positions(last)
		if err != nil {
			return nil, store.Refuse(store.InvalidValue, "", "Last-Event-ID is none that this server gave out")
		}
		return given, nil
	}
	switch from := strings.ToUpper(cmpOr(c.Query("from"), "NOW")); from {
	case "BEGINNING":
		return at, nil
	case "NOW":
	default:
		return nil, store.Refuse(store.InvalidValue, "", "from must be BEGINNING or NOW")
	}
	if s.Topics != nil {
		return s.Topics.Ends(c.Request.Context(), f.heard)
	}
	for _, name := range s.names() {
		err := s.services[name].Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) (err error) {
			at[name], err = store.LastRow(ctx, r)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, p := range f.peers {
		var page outboxPage
		if err := askerFor(c).get(c.Request.Context(), p, "/peers/outbox", url.Values{"service": {p.Service}}, askTimeout, &page); err != nil {
			return nil, err
		}
		at[p.Service] = page.Last
	}
	return at, nil
}

// sendNew sends what came since the positions and moves them; more says that a batch was full.
func (s *Server) sendNew(c *gin.Context, f filter, feeds []*feed, at map[string]int64) (more bool, err error) {
	var found []streamed
	var out strings.Builder
	if s.Topics != nil {
		found, more, err = s.eventsOf(c.Request.Context(), f.heard, at, streamBatch)
	} else {
		found, more, err = s.fromStores(c, f, feeds, at, &out)
	}
	if err != nil {
		return false, err
	}
	for _, one := range found {
		at[one.source] = one.row.ID
		if one.row.Payload != nil && (f.correlation == "" || f.correlation == one.row.CorrelationID) {
			fmt.Fprintf(&out, "id: %s\ndata: %s\n\n", position(at), compact(one.row.Payload))
		}
	}
	if out.Len() == 0 {
		return more, nil
	}
	return more, write(c, out.String())
}

// fromStores reads what came to the outboxes; notes of what is missing go to out.
func (s *Server) fromStores(c *gin.Context, f filter, feeds []*feed, at map[string]int64, out *strings.Builder) (found []streamed, more bool, err error) {
	for _, feed := range feeds {
		rows, note := feed.take()
		for _, row := range rows {
			found = append(found, streamed{feed.peer.Service, row.OccurredAt, store.Row{ID: row.ID, OccurredAt: row.OccurredAt, CorrelationID: row.CorrelationID, Payload: []byte(row.Payload)}})
		}
		if note != "" {
			fmt.Fprintf(out, ": %s\n\n", compact([]byte(note)))
		}
	}
	for _, name := range f.services {
		err := s.services[name].Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) error {
			rows, err := store.Recorded(ctx, r, at[name], streamBatch, f.topics[name]...)
			more = more || len(rows) == streamBatch
			for _, row := range rows {
				found = append(found, streamed{name, row.OccurredAt, row})
			}
			return err
		})
		if err != nil {
			return nil, false, err
		}
	}
	inTime(found)
	return found, more, nil
}

// compact puts an event on one line, as data of a server-sent event must be.
func compact(payload []byte) string {
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(string(payload))
}

func write(c *gin.Context, text string) error {
	if err := http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := c.Writer.WriteString(text); err != nil {
		return err
	}
	c.Writer.Flush()
	return nil
}
