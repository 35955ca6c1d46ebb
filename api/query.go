package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// month is a parameter such as 2026-01.
type month string

const (
	monthLayout  = "2006-01"
	monthPattern = "^[0-9]{4}-(0[1-9]|1[0-2])$"
)

// queried holds a request's query to the table: a parameter is known, stands once, is of its type, and is one of its words.
// A misspelled filter would show everything, a misspelled dry_run would be none. Processes ask each other more than the table has.
func (s *Server) queried(all []parameter) gin.HandlerFunc {
	known := make(map[string]parameter, len(all))
	names := make([]string, len(all))
	for i, p := range all {
		known[p.name], names[i] = p, p.name
	}
	return func(c *gin.Context) {
		given := c.Request.URL.Query()
		for _, name := range slices.Sorted(maps.Keys(given)) {
			p, ok := known[name]
			if what := p.wrong(given[name]); ok && what != "" {
				s.refuse(c, store.Refuse(store.InvalidValue, "", "%s %s", name, what))
				return
			}
			if !ok && !forwarded(c) {
				s.refuse(c, store.Refuse(store.InvalidValue, "", "%.100q is no parameter here; %s", name, choices(names)))
				return
			}
		}
	}
}

func choices(names []string) string {
	if len(names) == 0 {
		return "there are none"
	}
	return "choose from " + strings.Join(names, ", ")
}

// wrong says what is wrong with the values of a parameter, "" if nothing is.
func (p parameter) wrong(values []string) string {
	if len(values) > 1 {
		return "stands twice"
	}
	text := values[0]
	var err error
	switch p.sample.(type) {
	case int:
		if _, err = strconv.Atoi(text); err != nil {
			return "must be a number"
		}
	case bool:
		if text != "true" && text != "false" {
			return "must be true or false"
		}
	case time.Time:
		if _, err = time.Parse(time.RFC3339, text); err != nil {
			return "must be a time such as 2024-01-15T10:30:00Z"
		}
	case events.Money:
		if _, err = events.ParseMoney(text); err != nil {
			return err.Error()
		}
	case month:
		if _, err = time.Parse(monthLayout, text); err != nil {
			return "must be a month such as 2026-01"
		}
	}
	if len(p.oneOf) > 0 && !slices.Contains(p.oneOf, text) {
		return fmt.Sprintf("must be one of %s", strings.Join(p.oneOf, ", "))
	}
	return ""
}
