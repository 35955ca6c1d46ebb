package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Peer is a service as it runs in other processes.
type Peer struct {
	Service string
	Source  string     // what its events name as their source_service
	URLs    []*url.URL // of its instances, which share one database
}

// forwardedHeader marks what one process asks of another: the other answers for the services that it runs, and asks nobody.
const forwardedHeader = "Viscount-Forwarded"

const (
	codePeerUnreachable = "peer_unreachable"
	codeLoop            = "forwarding_loop"

	connectTimeout = 2 * time.Second    // of one address
	dialTimeout    = 2 * connectTimeout // of all that a name has: the second has its turn when the first says nothing
	passTimeout    = 30 * time.Second   // for a request that is passed on
	askTimeout     = 5 * time.Second    // for a question of this process's own: longer than a dial, whose error names the address
	maxPeerAnswer  = 64 << 20
)

func forwarded(c *gin.Context) bool { return c.GetHeader(forwardedHeader) != "" }

// newPeerTransport connects to peers: without proxies of the environment, and without touching what goes through.
func newPeerTransport() *http.Transport {
	return &http.Transport{
		DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: passTimeout - dialTimeout - connectTimeout,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
	}
}

// peer sends requests to the instances of a service.
type peer struct {
	Peer
	transport http.RoundTripper
	reached   atomic.Int64 // the URL that answered last: the one to begin with
}

// send tries the URLs in turn, as long as no connection can be made. What may have been received is repeated only if it
// changes nothing. The error is an *unreachable.
func (p *peer) send(r *http.Request, body []byte) (*http.Response, error) {
	failure := &unreachable{service: p.Service}
	begin := int(p.reached.Load())
	for i := range p.URLs {
		n := (begin + i) % len(p.URLs)
		response, connected, err := p.try(r, p.URLs[n], body)
		if err == nil {
			p.reached.Store(int64(n))
			return response, nil
		}
		failure.tried = append(failure.tried, p.URLs[n].Redacted()+" ("+err.Error()+")")
		changes := r.Method != http.MethodGet && r.Method != http.MethodHead
		failure.received = connected && changes
		if failure.received || r.Context().Err() != nil {
			break
		}
	}
	return nil, failure
}

// try sends the request to one URL. connected tells whether a connection stood, so that the request may have been received.
func (p *peer) try(r *http.Request, base *url.URL, body []byte) (_ *http.Response, connected bool, _ error) {
	var stood atomic.Bool
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { stood.Store(true) }})
	out := &httputil.ProxyRequest{In: r, Out: r.Clone(ctx)}
	out.SetURL(base)
	// Without GetBody, net/http itself repeats nothing that has a body. It would repeat a POST with an Idempotency-Key.
	out.Out.Body, out.Out.GetBody, out.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), nil, int64(len(body))
	if len(body) == 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		out.Out.Body = nil
	}
	response, err := p.transport.RoundTrip(out.Out)
	return response, stood.Load(), err
}

// unreachable says that a service gave no answer at any of its URLs.
type unreachable struct {
	service  string
	tried    []string
	received bool // the last of them may have received the request, and applied it
}

func (u *unreachable) Error() string {
	return "service " + u.service + " was not reached at " + strings.Join(u.tried, ", ") + "; see http.peers"
}

// outgoing sends what is passed on.
type outgoing struct {
	peer *peer
	body []byte
}

// RoundTrip implements http.RoundTripper.
func (o outgoing) RoundTrip(r *http.Request) (*http.Response, error) { return o.peer.send(r, o.body) }

// pass lets a peer answer the request: everything but the hop's own headers goes through unchanged, both ways.
func (s *Server) pass(c *gin.Context, p *peer) {
	body, err := readBody(c, s.MaxBody)
	if err != nil {
		s.refuse(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), passTimeout)
	defer cancel()
	proxy := httputil.ReverseProxy{
		Transport: outgoing{p, body}, ErrorLog: slog.NewLogLogger(s.Logger.Handler(), slog.LevelWarn),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Header.Set(forwardedHeader, "1")
			r.Out.Header.Set(correlationHeader, store.OriginFrom(ctx).CorrelationID)
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Header.Get(correlationHeader) != "" { // instead of ours, not beside it
				c.Writer.Header().Del(correlationHeader)
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { s.refuse(c, err) },
	}
	request := c.Request.WithContext(ctx)
	request.Body = http.NoBody // it is in the transport, which may need it more than once
	proxy.ServeHTTP(c.Writer, request)
	c.Abort()
}

// elsewhere answers a request about a service that does not run in this process.
func (s *Server) elsewhere(c *gin.Context, service string) {
	p, known := s.peers[service]
	switch {
	case !known && !s.named(service):
		problem(c, http.StatusNotFound, store.NotFound, "no service is named "+service)
	case forwarded(c):
		problem(c, http.StatusLoopDetected, codeLoop,
			"another process passed this request on to "+c.Request.Host+", where service "+service+" does not run: correct http.peers."+service+" of that process")
	case known:
		s.pass(c, p)
	default:
		problem(c, http.StatusServiceUnavailable, "service_elsewhere", "service "+service+" does not run in this process, and http.peers does not say where it does")
	}
}

// refuseUnreachable tells what the caller may do about a peer that gave no answer.
func refuseUnreachable(c *gin.Context, u *unreachable) {
	if u.received {
		problem(c, http.StatusBadGateway, codePeerUnreachable, u.Error()+"; the request may have been applied: look, or repeat it with the same "+idempotencyHeader)
		return
	}
	c.Header("Retry-After", "1")
	problem(c, http.StatusServiceUnavailable, codePeerUnreachable, u.Error()+"; nothing was applied, try again")
}

// remote are the peers of services that do not run here. A question that was passed on is answered without them.
func (s *Server) remote(c *gin.Context) []*peer {
	var list []*peer
	if forwarded(c) {
		return nil
	}
	for _, p := range s.Peers {
		if s.services[p.Service] == nil {
			list = append(list, s.peers[p.Service])
		}
	}
	return list
}

// publisherOf is the service that publishes for a source_service, here or at a peer.
func (s *Server) publisherOf(source string) (service string, known bool) {
	for name, here := range s.services {
		if here.Store().Source() == source {
			return name, true
		}
	}
	for _, p := range s.Peers {
		if p.Source == source {
			return p.Service, true
		}
	}
	return "", false
}

// named tells whether a contract names the service.
func (s *Server) named(service string) bool {
	return slices.ContainsFunc(s.Catalogue.All(), func(d *events.Definition) bool {
		return slices.Contains(d.Contract.Consumers, service) || d.Contract.Publisher == service+"-service"
	})
}
