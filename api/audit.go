package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/audit"
	"github.com/first-viscount/viscount/store"
)

// exportBatch is how many records of an export are read at once.
const exportBatch = 500

func (s *Server) auditEndpoints() []endpoint {
	service := s.Platform.Audit
	if service == nil {
		return nil
	}
	filters := []parameter{
		{name: "product_id", sample: "", doc: "of this product only"},
		{name: "location_id", sample: "", doc: "at this location only"},
		{name: "adjustment_type", sample: "", oneOf: events.Adjustments, doc: "of this type only"},
		{name: "reference_number", sample: "", doc: "with this reference number only, as of a purchase order"},
		{name: "correlation_id", sample: "", doc: "of this correlation only"},
		{name: "since", sample: time.Time{}, doc: "adjusted at this time or later"},
		{name: "until", sample: time.Time{}, doc: "adjusted before this time"},
	}
	return []endpoint{
		{http.MethodGet, "/audit", Viewer, "The audit trail of stock adjustments", paged(filters...),
			listing(s, "audit", func(r audit.Record) string { return strconv.FormatInt(r.Sequence, 10) },
				func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]audit.Record, error) {
					f, err := auditFilter(c, after)
					if err != nil {
						return nil, err
					}
					f.Limit = limit
					return service.List(ctx, r, f)
				})},
		{http.MethodGet, "/audit/export", Viewer, "The audit trail as NDJSON, one record a line", append(filters, parameter{name: "after", sample: 0, doc: "begin after the record with this sequence"}),
			action{service: "audit", status: http.StatusOK, answer: audit.Record{}, handle: func(c *gin.Context) { s.exportAudit(c, service) }}},
		{http.MethodGet, "/audit/head", Viewer, "The last record's number and hash: keep it elsewhere, to prove later that nothing before it was changed or cut off", nil,
			reading(s, "audit", func(ctx context.Context, r store.Reader, _ *gin.Context) (audit.Head, error) {
				return service.Head(ctx, r)
			})},
	}
}

func auditFilter(c *gin.Context, after string) (f audit.Filter, err error) {
	f = audit.Filter{
		ProductID: c.Query("product_id"), LocationID: c.Query("location_id"), AdjustmentType: c.Query("adjustment_type"),
		ReferenceNumber: c.Query("reference_number"), CorrelationID: c.Query("correlation_id"),
	}
	if f.Since, err = moment(c, "since"); err != nil {
		return f, err
	}
	if f.Until, err = moment(c, "until"); err != nil {
		return f, err
	}
	f.After, err = number(after)
	return f, err
}

// moment reads a parameter that is a time; the zero time if it is not given.
func moment(c *gin.Context, name string) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, store.Refuse(store.InvalidValue, "", "%s must be a time such as 2026-01-15T10:30:00Z", name)
	}
	return at, nil
}

// number reads the place in a list that is numbered; 0 if it is not given.
func number(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, store.Refuse(store.InvalidValue, "", "after and cursor must be what this server gave out, or a number")
	}
	return n, nil
}

// exportAudit writes records until there are no more. Each batch is a snapshot of its own: the trail only grows.
func (s *Server) exportAudit(c *gin.Context, service *audit.Service) {
	at, ok := s.of(c, "audit")
	if !ok {
		return
	}
	f, err := auditFilter(c, c.Query("after"))
	if err != nil {
		s.refuse(c, err)
		return
	}
	f.Limit = exportBatch
	c.Header("Content-Type", ndjsonType)
	for {
		var batch []audit.Record
		err := at.Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) (err error) {
			batch, err = service.List(ctx, r, f)
			return err
		})
		if err != nil && !c.Writer.Written() {
			s.refuse(c, err)
			return
		}
		if err != nil { // the answer breaks off in the middle, and the reader sees it
			panic(http.ErrAbortHandler)
		}
		var lines []byte
		for _, record := range batch {
			line, err := json.Marshal(record)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			lines = append(append(lines, line...), '\n')
			f.After = record.Sequence
		}
		if err := write(c, string(lines)); err != nil || len(batch) < exportBatch {
			return
		}
	}
}
