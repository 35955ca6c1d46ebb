package api

import (
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/contracts/site"
	"github.com/first-viscount/viscount/store"
)

// renderSite writes the catalogue that people read, with the contracts that this process has beside the platform's.
func (s *Server) renderSite() (map[string][]byte, error) {
	files, err := site.Render(s.Catalogue, contracts.Changelog)
	pages := make(map[string][]byte, len(files))
	for _, f := range files {
		pages[f.Path] = f.Content
	}
	return pages, err
}

// sitePage serves the site, rendered once. It is open to everybody who reaches the server: a browser sends no token, and the
// contracts are no secret.
func (s *Server) sitePage(c *gin.Context) {
	pages, err := s.site()
	if err != nil {
		s.refuse(c, err)
		return
	}
	name := strings.TrimPrefix(c.Param("page"), "/")
	if name == "" {
		name = "index.html"
	}
	page, known := pages[name]
	if !known {
		problem(c, http.StatusNotFound, store.NotFound, "no such page; see /contracts/")
		return
	}
	c.Header("Content-Security-Policy", site.Policy())
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, mime.TypeByExtension(path.Ext(name)), page)
}
