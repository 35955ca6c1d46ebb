package api

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/handlers/analytics"
	"github.com/first-viscount/viscount/store"
)

// reportBody is a report as JSON: a row is an object of the report's columns.
type reportBody struct {
	Report string           `json:"report"`
	By     string           `json:"by"`
	Items  []map[string]any `json:"items"`
}

// reportList says what can be asked.
type reportList struct {
	Items []reportName `json:"items"`
}

type reportName struct {
	Report  string `json:"report"`
	Purpose string `json:"purpose"`
}

func (s *Server) analyticsEndpoints() []endpoint {
	service := s.Platform.Analytics
	if service == nil {
		return nil
	}
	names := reportList{}
	for _, r := range analytics.Reports {
		names.Items = append(names.Items, reportName{Report: r.Name, Purpose: r.Purpose})
	}
	return []endpoint{
		{http.MethodGet, "/analytics", Viewer, "The reports that can be asked", nil,
			reading(s, "analytics", func(context.Context, store.Reader, *gin.Context) (reportList, error) { return names, nil })},
		{http.MethodGet, "/analytics/:report", Viewer, "A report by hour or day, UTC; as CSV with format=csv or Accept: text/csv", []parameter{
			{name: "from", sample: time.Time{}, doc: "from this time on; from the beginning if not given"},
			{name: "to", sample: time.Time{}, doc: "before this time; to the end if not given"},
			{name: "by", sample: "", oneOf: []string{"hour", "day"}, doc: "day if not given"},
			{name: "product_id", sample: "", doc: "of this product only, where the report knows products"},
			{name: "format", sample: "", oneOf: []string{"json", "csv"}, doc: "json if not given"},
		}, action{service: "analytics", status: http.StatusOK, answer: reportBody{}, handle: func(c *gin.Context) { s.report(c, service) }}},
	}
}

func (s *Server) report(c *gin.Context, service *analytics.Service) {
	at, ok := s.of(c, "analytics")
	if !ok {
		return
	}
	report, known := analytics.Find(c.Param("report"))
	if !known {
		problem(c, http.StatusNotFound, store.NotFound, "no report "+c.Param("report")+"; see /api/v1/analytics")
		return
	}
	of, err := reportRange(c)
	if err != nil {
		s.refuse(c, err)
		return
	}
	var table analytics.Table
	err = at.Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) (err error) {
		table, err = service.Read(ctx, r, report, of)
		return err
	})
	if err != nil {
		s.refuse(c, err)
		return
	}
	if c.Query("format") == "csv" || c.Query("format") == "" && strings.HasPrefix(c.GetHeader("Accept"), "text/csv") {
		s.writeCSV(c, report.Name, table)
		return
	}
	body := reportBody{Report: report.Name, By: c.DefaultQuery("by", "day"), Items: make([]map[string]any, len(table.Rows))}
	for i, row := range table.Rows {
		body.Items[i] = map[string]any{}
		for j, name := range table.Columns {
			body.Items[i][name] = jsonValue(row[j])
		}
	}
	writeJSON(c, http.StatusOK, body)
}

func reportRange(c *gin.Context) (of analytics.Range, err error) {
	of = analytics.Range{By: analytics.Day, Product: c.Query("product_id")}
	for name, at := range map[string]*time.Time{"from": &of.From, "to": &of.To} {
		if text := c.Query(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return of, store.Refuse(store.InvalidValue, "", "%s must be a time such as 2026-01-15T00:00:00Z", name)
			}
		}
	}
	switch by := c.DefaultQuery("by", "day"); by {
	case "day":
	case "hour":
		of.By = analytics.Hour
	default:
		return of, store.Refuse(store.InvalidValue, "", "by must be hour or day")
	}
	if format := c.DefaultQuery("format", "json"); format != "json" && format != "csv" {
		return of, store.Refuse(store.InvalidValue, "", "format must be json or csv")
	}
	return of, nil
}

// jsonValue writes an amount as the text that it is everywhere else; a net one may be negative.
func jsonValue(v any) any {
	if amount, ok := v.(fmt.Stringer); ok {
		if _, isTime := v.(time.Time); !isTime {
			return amount.String()
		}
	}
	return v
}

func (s *Server) writeCSV(c *gin.Context, name string, table analytics.Table) {
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	c.Status(http.StatusOK)
	out := csv.NewWriter(c.Writer)
	lines := [][]string{table.Columns}
	for _, row := range table.Rows {
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = csvValue(v)
		}
		lines = append(lines, line)
	}
	if err := out.WriteAll(lines); err != nil {
		s.Logger.DebugContext(c.Request.Context(), "the reader of a report is gone", "error", err)
	}
}

// csvValue writes a value so that no spreadsheet takes a text for a formula.
func csvValue(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339)
	case string:
		return csvText(v)
	}
	return fmt.Sprint(v)
}

// csvText keeps a text from being read as a formula by a spreadsheet.
func csvText(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r") {
		return "'" + text
	}
	return text
}
