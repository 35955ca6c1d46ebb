package api

import (
	"cmp"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// gathered is a page of a list over all services, of this process and its peers.
type gathered[T any] struct {
	Items       []T      `json:"items"`
	NextCursor  string   `json:"next_cursor,omitzero"`
	Unreachable []string `json:"unreachable,omitzero"` // services whose items are missing, and why
}

// place is where an item stands in such a list: by time, then service and id.
type place struct {
	at      time.Time
	service string
	id      store.LetterID
}

func (p place) compare(other place) int {
	if d := cmp.Or(p.at.Compare(other.at), strings.Compare(p.service, other.service)); d != 0 || p.id == other.id {
		return d
	}
	if p.id.Less(other.id) {
		return -1
	}
	return 1
}

func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(store.Micros(p.at), 10) + " " + p.service + " " + p.id.String()))
}

// placeOf reads a cursor; nil for none.
func placeOf(text string) (*place, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, " ")
	if len(parts) == 3 {
		us, bad := strconv.ParseInt(parts[0], 10, 64)
		id, err := store.ParseLetterID(parts[2])
		if bad == nil && err == nil {
			return &place{store.Time(us), parts[1], id}, nil
		}
	}
	return nil, store.Refuse(store.InvalidValue, "", "cursor is none that this server gave out")
}

// within is the place as one service sees it: of one time, services come in the order of their names.
func (p *place) within(service string) *store.Position {
	if p == nil {
		return nil
	}
	at := store.Position{At: p.at, ID: p.id}
	switch strings.Compare(service, p.service) {
	case -1:
		at = store.AfterAll(p.at)
	case 1:
		at = store.BeforeAll(p.at)
	}
	return &at
}

// gather reads a page of a list that every service keeps a part of. list reads a service's part after a position.
func gather[T any](s *Server, c *gin.Context, path string, latestFirst bool, where func(T) place, list func(service *router.Service, after *store.Position, limit int) ([]T, error)) {
	limit, cursor, err := paging(c)
	var after *place
	if err == nil {
		after, err = placeOf(cursor)
	}
	here, away, bad := s.asks(c, c.Query("service"))
	if err == nil {
		err = bad
	}
	if err != nil {
		s.refuse(c, err)
		return
	}
	var all []T
	for _, service := range here {
		part, err := list(service, after.within(service.Name()), limit+1)
		if err != nil {
			s.refuse(c, err)
			return
		}
		all = append(all, part...)
	}
	parts, unreachable, err := askAll[gathered[T]](s, c, away, path)
	if err != nil {
		s.refuse(c, err)
		return
	}
	more := false
	for _, part := range parts {
		all, more = append(all, part.Items...), more || part.NextCursor != ""
	}
	slices.SortFunc(all, func(a, b T) int {
		x, y := where(a), where(b)
		if d := x.at.Compare(y.at); latestFirst && d != 0 {
			return -d
		}
		return x.compare(y)
	})
	answer := gathered[T]{Items: all[:min(limit, len(all))], Unreachable: unreachable}
	if len(all) > limit || more && len(all) > 0 {
		answer.NextCursor = where(answer.Items[len(answer.Items)-1]).cursor()
	}
	if answer.Items == nil {
		answer.Items = []T{}
	}
	writeJSON(c, http.StatusOK, answer)
}

// asks tells which services a question is about: those that run here, and those of peers. name is one of them, or "".
func (s *Server) asks(c *gin.Context, name string) (here []*router.Service, away []*peer, err error) {
	for _, own := range s.names() {
		if name == "" || name == own {
			here = append(here, s.services[own])
		}
	}
	for _, p := range s.remote(c) {
		if name == "" || name == p.Service {
			away = append(away, p)
		}
	}
	if name != "" && len(here)+len(away) == 0 && !forwarded(c) {
		err = store.Refuse(store.InvalidValue, "", "no service is named %q; there are %s", name, strings.Join(s.known(), ", "))
	}
	return here, away, err
}

// known names every service that this process can answer for.
func (s *Server) known() []string {
	names := map[string]bool{}
	for _, p := range s.Peers {
		names[p.Service] = true
	}
	for _, name := range s.names() {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// askAll puts the request's own question to peers, each about its service, and names those that gave no answer. Its error is
// a peer's refusal.
func askAll[A any](s *Server, c *gin.Context, peers []*peer, path string) (answers []A, unreachable []string, err error) {
	answers = make([]A, len(peers))
	errs := make([]error, len(peers))
	asker := askerFor(c)
	var asked sync.WaitGroup
	for i, p := range peers {
		query := url.Values{}
		maps.Copy(query, c.Request.URL.Query())
		query.Set("service", p.Service)
		asked.Go(func() { errs[i] = asker.get(c.Request.Context(), p, path, query, askTimeout, &answers[i]) })
	}
	asked.Wait()
	for _, e := range errs {
		if _, lost := lostPeer(e); lost {
			unreachable = append(unreachable, e.Error())
		} else if e != nil {
			return nil, nil, e
		}
	}
	return answers, unreachable, nil
}
