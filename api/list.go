package api

import (
	"encoding/base64"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/store"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// page is one page of a list.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitzero"`
}

// paging reads limit and cursor.
func paging(c *gin.Context) (limit int, after string, err error) {
	limit = defaultLimit
	if text := c.Query("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > maxLimit {
			return 0, "", store.Refuse(store.InvalidValue, "", "limit must be between 1 and %d", maxLimit)
		}
	}
	if text := c.Query("cursor"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return 0, "", store.Refuse(store.InvalidValue, "", "cursor is none that this server gave out")
		}
		after = string(raw)
	}
	return limit, after, nil
}

// pageOf makes a page from up to limit+1 rows: the one too many says that more follows.
func pageOf[T any](rows []T, limit int, key func(T) string) page[T] {
	if rows == nil {
		rows = []T{}
	}
	if len(rows) <= limit {
		return page[T]{Items: rows}
	}
	rows = rows[:limit]
	return page[T]{Items: rows, NextCursor: base64.RawURLEncoding.EncodeToString([]byte(key(rows[limit-1])))}
}
