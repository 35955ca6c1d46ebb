package api

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

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
