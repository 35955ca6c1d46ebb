package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

const recordedPage = 1000

// recorder reads recorded events: the transport's topics where they keep them, else the outboxes of their publishers, here and
// at peers, one publisher after the other.
type recorder struct {
	server    *Server
	asker     asker
	knownOnly bool // publishers that are not known are passed over
}

// Recorder reads recorded events of the publishers that are known, here and at peers, which want this process's own token.
func (s *Server) Recorder() router.Recorder {
	header := http.Header{forwardedHeader: {"1"}}
	if s.PeerToken != "" {
		header.Set("Authorization", "Bearer "+s.PeerToken)
	}
	return &recorder{server: s, asker: asker{header}, knownOnly: true}
}

// IsUnreachable tells of an error that a peer gave no answer, so that it may answer later.
func IsUnreachable(err error) bool {
	var lost *unreachable
	return errors.As(err, &lost)
}

// IsUnauthorized tells of an error that a peer refused the token that it was asked with.
func IsUnauthorized(err error) bool {
	var refusal *answered
	return errors.As(err, &refusal) && (refusal.problem.Status == http.StatusUnauthorized || refusal.problem.Status == http.StatusForbidden)
}

// publishers are the topics by the service that publishes them.
func (r *recorder) publishers(topics []string) (map[string][]string, error) {
	by := map[string][]string{}
	for _, topic := range topics {
		d, known := r.server.Catalogue.ByTopic(topic)
		if !known {
			return nil, fmt.Errorf("no contract has the topic %s", topic)
		}
		name, known := r.server.publisherOf(d.Contract.Publisher)
		if !known && r.knownOnly {
			continue
		}
		if !known {
			return nil, fmt.Errorf("%s, which publishes %s, does not run in this process, and http.peers does not say where it does", d.Contract.Publisher, d.Contract.Type)
		}
		by[name] = append(by[name], topic)
	}
	return by, nil
}

// Count implements router.Recorder.
func (r *recorder) Count(ctx context.Context, topics []string) (total int64, err error) {
	if r.server.Topics != nil {
		return r.server.Topics.Count(ctx, topics)
	}
	by, err := r.publishers(topics)
	if err != nil {
		return 0, err
	}
	for name, of := range by {
		n, err := r.count(ctx, name, of)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (r *recorder) count(ctx context.Context, name string, topics []string) (n int64, err error) {
	if service, here := r.server.services[name]; here {
		err = service.Store().View(ctx, func(ctx context.Context, q store.Reader) (err error) {
			n, err = store.CountRecorded(ctx, q, 0, topics...)
			return err
		})
		return n, err
	}
	var page outboxPage
	err = r.asker.get(ctx, r.server.peers[name], "/peers/outbox", url.Values{"service": {name}, "topic": topics}, askTimeout, &page)
	return page.Recorded, err
}

// Read implements router.Recorder.
func (r *recorder) Read(ctx context.Context, topics []string, after string) ([]router.Recorded, string, bool, error) {
	at, err := positions(after)
	if err != nil {
		return nil, "", false, err
	}
	if r.server.Topics != nil {
		page, more, err := r.server.fromTopics(ctx, topics, at)
		return page, position(at), more, err
	}
	page, err := r.fromOutboxes(ctx, topics, at, recordedPage)
	return page, position(at), len(page) > 0, err
}

// fromOutboxes reads a page of what one of the publishers recorded, and moves its position.
func (r *recorder) fromOutboxes(ctx context.Context, topics []string, at map[string]int64, limit int) ([]router.Recorded, error) {
	by, err := r.publishers(topics)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		page, err := r.read(ctx, name, by[name], at, limit)
		if err != nil || len(page) > 0 {
			return page, err
		}
	}
	return nil, nil
}

// read reads what one publisher recorded, and moves its position.
func (r *recorder) read(ctx context.Context, name string, topics []string, at map[string]int64, limit int) (page []router.Recorded, err error) {
	service, here := r.server.services[name]
	if here {
		err = service.Store().View(ctx, func(ctx context.Context, q store.Reader) error {
			rows, err := store.Recorded(ctx, q, at[name], limit, topics...)
			for _, row := range rows {
				page = append(page, router.Recorded{EventID: row.EventID, Topic: row.Topic, Key: row.Key, Sequence: row.Sequence, CausationID: row.CausationID, Payload: row.Payload})
				at[name] = row.ID
			}
			return err
		})
		return page, err
	}
	var answer outboxPage
	query := url.Values{"service": {name}, "topic": topics, "after": {strconv.FormatInt(at[name], 10)}, "limit": {strconv.Itoa(limit)}}
	if err := r.asker.get(ctx, r.server.peers[name], "/peers/outbox", query, askTimeout, &answer); err != nil {
		return nil, err
	}
	for _, row := range answer.Rows {
		id, err := uuid.Parse(row.EventID)
		if err != nil {
			return nil, fmt.Errorf("service %s answered with a row without an event_id: is it an older version?", name)
		}
		page = append(page, router.Recorded{EventID: id, Topic: row.Topic, Key: row.Key, Sequence: row.Sequence, CausationID: row.CausationID, Payload: []byte(row.Payload)})
		at[name] = row.ID
	}
	return page, nil
}

// position writes how far sources were read.
func position(at map[string]int64) string {
	parts := make([]string, 0, len(at))
	for name, id := range at {
		parts = append(parts, name+":"+strconv.FormatInt(id, 10))
	}
	slices.Sort(parts)
	return strings.Join(parts, ".")
}

// positions reads what position wrote; "0" is the beginning too.
func positions(text string) (map[string]int64, error) {
	at := map[string]int64{}
	for part := range strings.SplitSeq(text, ".") {
		if part == "" || part == "0" {
			continue
		}
		name, number, ok := strings.Cut(part, ":")
		id, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			return nil, store.Refuse(store.InvalidValue, "", "%q is no position that this server gave out", text)
		}
		at[name] = id
	}
	return at, nil
}

// recorded pages through the recorded events of one type, of all its major versions.
func (s *Server) recorded(c *gin.Context) {
	majors := s.Catalogue.Majors(c.Query("type"))
	if len(majors) == 0 {
		problem(c, http.StatusUnprocessableEntity, string(events.UnknownType), "type must name a contract; see /api/v1/contracts")
		return
	}
	at, err := positions(c.Query("after"))
	if err != nil {
		problem(c, http.StatusUnprocessableEntity, store.InvalidValue, "after must be the next_after of the page before")
		return
	}
	if _, known := s.publisherOf(majors[0].Contract.Publisher); !known && s.Topics == nil {
		problem(c, http.StatusServiceUnavailable, "service_elsewhere", "the publisher of "+majors[0].Contract.Type+" does not run in this process, and http.peers does not say where it does")
		return
	}
	var topics []string
	for _, d := range majors {
		topics = append(topics, d.Contract.Topic())
	}
	answer := recordedBody{Items: []jsontext.Value{}}
	if s.Topics != nil {
		answer.Items, err = s.itemsOf(c.Request.Context(), topics, at)
	} else {
		var page []router.Recorded
		page, err = (&recorder{server: s, asker: askerFor(c)}).fromOutboxes(c.Request.Context(), topics, at, maxLimit)
		for _, e := range page {
			answer.Items = append(answer.Items, e.Payload)
		}
	}
	if err != nil {
		s.refuse(c, err)
		return
	}
	answer.NextAfter = position(at)
	writeJSON(c, http.StatusOK, answer)
}
