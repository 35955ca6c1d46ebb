package api

import (
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/handlers/accounting"
	"github.com/first-viscount/viscount/store"
)

func (s *Server) accountingEndpoints() []endpoint {
	service := s.Platform.Accounting
	if service == nil {
		return nil
	}
	return []endpoint{
		{http.MethodGet, "/accounting/trial-balance", Viewer, "What every account comes to, by currency", []parameter{
			{name: "through", sample: month(""), doc: "the last period that counts, as in 2026-01; all if not given"},
		}, reading(s, "accounting", func(ctx context.Context, r store.Reader, c *gin.Context) (accounting.TrialBalance, error) {
			return service.TrialBalance(ctx, r, c.Query("through"))
		})},
		{http.MethodGet, "/accounting/journal", Viewer, "Entries of the ledger by period and date: a page, or all of them as a file", paged(
			parameter{name: "period", sample: month(""), doc: "of this period only, as in 2026-01"},
			parameter{name: "currency", sample: "", doc: "in this currency only"},
			parameter{name: "order_id", sample: "", doc: "of this order only"},
			parameter{name: "format", sample: "", oneOf: []string{"json", "csv", "ndjson"}, doc: "csv and ndjson give every entry at once; json, the default, a page"},
		), s.journal(service)},
		{http.MethodGet, "/accounting/periods", Viewer, "The periods that were closed, newest first; each covers all before it", nil,
			reading(s, "accounting", func(ctx context.Context, r store.Reader, c *gin.Context) (page[accounting.Period], error) {
				closed, err := service.Closed(ctx, r)
				return page[accounting.Period]{Items: append([]accounting.Period{}, closed...)}, err
			})},
		{http.MethodPost, "/accounting/periods/:period/close", Operator, "Close a month and all before it: what comes late is posted into the open one", nil,
			command(s, "accounting", http.StatusOK, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, _ nothing) (reply[accounting.Period], error) {
				period, err := service.Close(ctx, tx, c.Param("period"))
				return reply[accounting.Period]{body: period}, err
			})},
	}
}

// journal gives a page of the journal, or all of it as a file.
func (s *Server) journal(service *accounting.Service) action {
	filterOf := func(c *gin.Context) accounting.Filter {
		return accounting.Filter{Period: c.Query("period"), Currency: c.Query("currency"), OrderID: c.Query("order_id")}
	}
	a := listing(s, "accounting", accounting.Entry.Place,
		func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]accounting.Entry, error) {
			f := filterOf(c)
			f.After, f.Limit = after, limit
			return service.Journal(ctx, r, f)
		})
	pages := a.handle
	a.handle = func(c *gin.Context) {
		write := exports[cmpOr(c.Query("format"), "json")]
		switch {
		case c.Query("format") == "" || c.Query("format") == "json":
			pages(c)
		case write == nil:
			problem(c, http.StatusUnprocessableEntity, store.InvalidValue, "format must be json, csv or ndjson")
		default:
			s.exportJournal(c, service, filterOf(c), write)
		}
	}
	return a
}

const exportPage = 1000

// exportJournal writes every entry that the filter leaves, from one snapshot. What fails on the way breaks the answer off.
func (s *Server) exportJournal(c *gin.Context, service *accounting.Service, f accounting.Filter, write export) {
	at, ok := s.of(c, "accounting")
	if !ok {
		return
	}
	f.Limit = exportPage
	err := at.Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) error {
		for {
			entries, err := service.Journal(ctx, r, f)
			if err != nil {
				return err
			}
			if err := write(c, entries, f.After == ""); err != nil || len(entries) < f.Limit {
				return err
			}
			f.After = entries[len(entries)-1].Place()
		}
	})
	switch {
	case err != nil && c.Writer.Written():
		panic(http.ErrAbortHandler)
	case err != nil:
		s.refuse(c, err)
	}
}

// export writes entries to an answer; the first ones bring the header.
type export func(c *gin.Context, entries []accounting.Entry, first bool) error

var exports = map[string]export{"csv": exportCSV, "ndjson": exportNDJSON}

func exportNDJSON(c *gin.Context, entries []accounting.Entry, _ bool) error {
	c.Header("Content-Type", ndjsonType)
	for _, e := range entries {
		if err := json.MarshalWrite(c.Writer, e); err != nil {
			return err
		}
		if _, err := io.WriteString(c.Writer, "\n"); err != nil {
			return err
		}
	}
	return nil
}

var journalColumns = []string{"entry_id", "event_type", "at", "period", "late_of", "order_id", "reference", "currency", "amount", "debit", "credit"}

func exportCSV(c *gin.Context, entries []accounting.Entry, first bool) error {
	c.Header("Content-Type", "text/csv; charset=utf-8")
	w := csv.NewWriter(c.Writer)
	if first {
		if err := w.Write(journalColumns); err != nil {
			return err
		}
	}
	for _, e := range entries {
		err := w.Write([]string{e.EntryID, e.EventType, e.At.Format(time.RFC3339Nano), e.Period, e.LateOf, csvText(e.OrderID), csvText(e.Reference), e.Currency, e.Amount.String(), e.Debit, e.Credit})
		if err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
