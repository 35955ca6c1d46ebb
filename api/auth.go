package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/events"
)

// Caller is who sent a request.
type Caller struct {
	Name    string // the actor of the audit
	Role    Role
	Sources []string // source services whose events it may publish
}

// nobody is the caller where the API asks for no token.
const nobody = "anonymous"

const (
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
)

// may tells whether a caller may use what is for a role. Admins and operators publish if they are bound to source services,
// as publishers are. What processes ask each other comes with the token of the caller who asked.
func (c Caller) may(role Role) bool {
	switch role {
	case Anyone:
		return true
	case Viewer, Process:
		return c.Role == Viewer || c.Role == Operator || c.Role == Admin
	case Publisher:
		return len(c.Sources) > 0
	case Operator:
		return c.Role == Operator || c.Role == Admin
	}
	return c.Role == Admin
}

const callerKey = "viscount.caller"

// allowed lets those in who may use what is for a role. Without authentication that is everybody, who can only be on this
// machine.
func (s *Server) allowed(role Role) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s.Callers == nil || role == Anyone {
			return
		}
		token, sent := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer ")
		caller, known := s.Callers(strings.TrimSpace(token))
		switch {
		case !sent || token == "":
			unauthenticated(c, "send a token: Authorization: Bearer TOKEN (VISCOUNT_TOKEN or VISCOUNT_TOKEN_FILE for the command line)")
		case !known:
			unauthenticated(c, "the token is none of this server's: it was mistyped, revoked, or made for another one (http.auth.tokens_file)")
		case !caller.may(role):
			problem(c, http.StatusForbidden, codeForbidden, "this needs "+requirement(role)+"; the token of "+caller.Name+" has the role "+string(caller.Role))
		default:
			c.Set(callerKey, caller)
		}
	}
}

func unauthenticated(c *gin.Context, detail string) {
	c.Header("WWW-Authenticate", `Bearer realm="viscount"`)
	problem(c, http.StatusUnauthorized, codeUnauthenticated, detail)
}

func requirement(role Role) string {
	if role == Publisher {
		return "a token that is bound to source services"
	}
	if role == Process {
		role = Viewer
	}
	return "the role " + string(role)
}

// callerOf is who sent the request.
func (s *Server) callerOf(c *gin.Context) Caller {
	if caller, ok := c.Get(callerKey); ok {
		return caller.(Caller)
	}
	return Caller{Name: nobody, Role: Admin}
}

// identity tells callers apart without keeping what they send.
func (s *Server) identity(c *gin.Context) string {
	if s.Callers != nil {
		return s.callerOf(c).Name
	}
	if header := c.GetHeader("Authorization"); header != "" {
		sum := sha256.Sum256([]byte(header))
		return hex.EncodeToString(sum[:])
	}
	return nobody
}

// foreignEvents finds the events of a batch that the caller may not publish.
func (s *Server) foreignEvents(c *gin.Context, batch []incoming) (entries []problemEntry) {
	if s.Callers == nil {
		return nil
	}
	caller := s.callerOf(c)
	for i, one := range batch {
		if source := one.event.Envelope.SourceService; !slices.Contains(caller.Sources, source) {
			entries = append(entries, problemEntry{Index: &i, Path: "/source_service", Code: events.WrongPublisher, Detail: "the token of " + caller.Name + " may publish for " + strings.Join(caller.Sources, ", ") + ", not for " + source})
		}
	}
	return entries
}
