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
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

const (
	// CodeNotRebuildable refuses to rebuild what recorded events do not give back.
	CodeNotRebuildable = "not_rebuildable"
	codeRebuilding     = "rebuild_running"
)

func (s *Server) rebuildEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/consumers/:service/rebuild", Operator, "Fill a projection again from recorded events, while the old one goes on answering", nil,
			action{body: rebuildBody{}, status: http.StatusAccepted, answer: router.Rebuilding{}, handle: s.startRebuild}},
		{http.MethodGet, "/consumers/:service/rebuild", Viewer, "How the last rebuild of a projection stands", nil,
			answering[router.Rebuilding](s.rebuilding)},
	}
}

type rebuildBody struct {
	AcceptLoss bool `json:"accept_loss,omitzero"` // replace the projection although fewer events are recorded than it was made from
}

func (s *Server) startRebuild(c *gin.Context) {
	service, ok := s.of(c, c.Param("service"))
	if !ok {
		return
	}
	body, _, err := requestBody[rebuildBody](c, s.MaxBody, nil)
	if err != nil {
		s.refuse(c, err)
		return
	}
	standing, err := service.StartRebuild(c.Request.Context(), &recorder{server: s, asker: askerFor(c)}, body.AcceptLoss)
	var never *router.NotRebuiltError
	switch {
	case errors.As(err, &never):
		problem(c, http.StatusUnprocessableEntity, CodeNotRebuildable, never.Error())
	case errors.Is(err, store.ErrShadowed):
		problem(c, http.StatusConflict, codeRebuilding, service.Name()+" is being rebuilt already; see GET "+c.Request.URL.Path)
	case err != nil:
		s.refuse(c, err)
	default:
		writeJSON(c, http.StatusAccepted, standing)
	}
}

func (s *Server) rebuilding(c *gin.Context) {
	service, ok := s.of(c, c.Param("service"))
	if !ok {
		return
	}
	standing, err := service.Rebuilding(c.Request.Context())
	if err != nil {
		s.refuse(c, err)
		return
	}
	writeJSON(c, http.StatusOK, standing)
}

const recordedPage = 1000

// recorder reads recorded events from the outboxes of their publishers, here and at peers, one publisher after the other.
type recorder struct {
	server *Server
	asker  asker
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
		if !known {
			return nil, fmt.Errorf("%s, which publishes %s, does not run in this process, and http.peers does not say where it does", d.Contract.Publisher, d.Contract.Type)
		}
		by[name] = append(by[name], topic)
	}
	return by, nil
}

// Count implements router.Recorder.
func (r *recorder) Count(ctx context.Context, topics []string) (total int64, err error) {
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
func (r *recorder) Read(ctx context.Context, topics []string, after string) ([]router.Recorded, string, error) {
	by, err := r.publishers(topics)
	if err != nil {
		return nil, "", err
	}
	at, err := positions(after)
	if err != nil {
		return nil, "", err
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		page, err := r.read(ctx, name, by[name], at)
		if err != nil || len(page) > 0 {
			return page, position(at), err
		}
	}
	return nil, after, nil
}

// read reads what one publisher recorded, and moves its position.
func (r *recorder) read(ctx context.Context, name string, topics []string, at map[string]int64) (page []router.Recorded, err error) {
	service, here := r.server.services[name]
	if here {
		err = service.Store().View(ctx, func(ctx context.Context, q store.Reader) error {
			rows, err := store.Recorded(ctx, q, at[name], recordedPage, topics...)
			for _, row := range rows {
				page = append(page, router.Recorded{EventID: row.EventID, Topic: row.Topic, Key: row.Key, Sequence: row.Sequence, CausationID: row.CausationID, Payload: row.Payload})
				at[name] = row.ID
			}
			return err
		})
		return page, err
	}
	var answer outboxPage
	query := url.Values{"service": {name}, "topic": topics, "after": {strconv.FormatInt(at[name], 10)}}
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

// positions reads what position wrote.
func positions(text string) (map[string]int64, error) {
	at := map[string]int64{}
	for part := range strings.SplitSeq(text, ".") {
		if part == "" {
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
