package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// problemBody is RFC 9457, with our code and the places that are wrong.
type problemBody struct {
	Type          string         `json:"type"`
	Title         string         `json:"title"`
	Status        int            `json:"status"`
	Detail        string         `json:"detail"`
	Code          string         `json:"code"`
	CorrelationID string         `json:"correlation_id"`
	Errors        []problemEntry `json:"errors,omitzero"`
}

type problemEntry struct {
	Index  *int        `json:"index,omitzero"`
	Path   string      `json:"path"`
	Code   events.Code `json:"code"`
	Detail string      `json:"detail"`
}

func problem(c *gin.Context, status int, code, detail string, entries ...problemEntry) {
	c.Abort()
	body, err := json.Marshal(problemBody{
		Type: "urn:first-viscount:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code,
		CorrelationID: c.Writer.Header().Get(correlationHeader), Errors: entries,
	})
	if err != nil {
		c.Status(status)
		return
	}
	c.Data(status, "application/problem+json", body)
}

func writeJSON(c *gin.Context, status int, answer any) {
	body, err := json.Marshal(answer, json.Deterministic(true))
	if err != nil {
		problem(c, http.StatusInternalServerError, "internal", "the answer could not be written: "+err.Error())
		return
	}
	c.Data(status, "application/json", body)
}

var refusedStatus = map[string]int{
	store.NotFound: http.StatusNotFound, store.AlreadyExists: http.StatusConflict, store.IllegalTransition: http.StatusConflict,
	store.InsufficientStock: http.StatusConflict, store.UnknownProduct: http.StatusUnprocessableEntity, store.InactiveProduct: http.StatusUnprocessableEntity,
	store.InvalidValue: http.StatusUnprocessableEntity, store.Outdated: http.StatusPreconditionFailed,
}

// refuse answers an error of a command or query.
func (s *Server) refuse(c *gin.Context, err error) {
	var refused *store.Refused
	var invalid *events.Invalid
	var tooLarge *http.MaxBytesError
	var failure *store.Failure
	var lost *unreachable
	var peers *answered
	var ended *router.EndedError
	switch {
	case errors.As(err, &lost):
		refuseUnreachable(c, lost)
	case errors.As(err, &peers):
		problem(c, peers.problem.Status, peers.problem.Code, peers.problem.Detail, peers.problem.Errors...)
	case errors.As(err, &ended):
		problem(c, http.StatusNotFound, store.NotFound, ended.Error())
	case errors.Is(err, store.ErrNoLetter):
		problem(c, http.StatusNotFound, store.NotFound, "there is no such dead letter, and the audit knows of none")
	case errors.As(err, &refused):
		var entries []problemEntry
		if refused.Path != "" {
			entries = []problemEntry{{Path: refused.Path, Code: events.Code(refused.Code), Detail: refused.Detail}}
		}
		problem(c, refusedStatus[refused.Code], refused.Code, refused.Detail, entries...)
	case errors.As(err, &invalid):
		problem(c, invalidStatus(invalid), string(invalid.Problems[0].Code), invalid.Error(), entriesOf(invalid, nil)...)
	case errors.As(err, &tooLarge):
		problem(c, http.StatusRequestEntityTooLarge, string(events.TooLarge), "the body is over the limit of this server (http.max_body)")
	case errors.Is(err, store.ErrClosed), errors.As(err, &failure):
		c.Header("Retry-After", "1")
		problem(c, http.StatusServiceUnavailable, "unavailable", "the database takes no changes at this moment; nothing was applied, try again")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		problem(c, http.StatusServiceUnavailable, "timeout", "the request took too long; nothing was applied, try again")
	default:
		s.Logger.ErrorContext(c.Request.Context(), "a request failed", "path", c.FullPath(), "error", err)
		problem(c, http.StatusInternalServerError, "internal", "the server failed; the request was not applied")
	}
}

func entriesOf(invalid *events.Invalid, index *int) []problemEntry {
	entries := make([]problemEntry, len(invalid.Problems))
	for i, p := range invalid.Problems {
		entries[i] = problemEntry{Index: index, Path: p.Path, Code: p.Code, Detail: p.Detail}
	}
	return entries
}

// invalidStatus tells what is no JSON at all from what breaks the contract.
func invalidStatus(invalid *events.Invalid) int {
	switch invalid.Problems[0].Code {
	case events.MalformedJSON, events.NotObject, events.DuplicateKey, events.InvalidUTF8, events.ControlChar, events.TooDeep:
		return http.StatusBadRequest
	case events.TooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusUnprocessableEntity
}
