package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/store"
)

// asker asks peers on behalf of a request, with its caller's rights.
type asker struct{ header http.Header }

func askerFor(c *gin.Context) asker {
	header := http.Header{forwardedHeader: {"1"}, correlationHeader: {store.OriginFrom(c.Request.Context()).CorrelationID}}
	if authorization := c.GetHeader("Authorization"); authorization != "" {
		header.Set("Authorization", authorization)
	}
	return asker{header}
}

// get reads a peer's JSON into answer.
func (a asker) get(ctx context.Context, p *peer, path string, query url.Values, patience time.Duration, answer any) error {
	return a.exchange(ctx, p, http.MethodGet, path+"?"+query.Encode(), nil, patience, answer)
}

// post sends JSON and reads the answer.
func (a asker) post(ctx context.Context, p *peer, path string, body []byte, answer any) error {
	return a.exchange(ctx, p, http.MethodPost, path, body, passTimeout, answer)
}

// exchange asks a peer under /api/v1. Its error is an *unreachable or *answered when the peer is to blame.
func (a asker) exchange(ctx context.Context, p *peer, method, path string, body []byte, patience time.Duration, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "/api/v1"+path, nil)
	if err != nil {
		return err
	}
	request.Header = a.header.Clone()
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := p.send(request, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	from := "service " + p.Service + " at " + response.Request.URL.Scheme + "://" + response.Request.URL.Host
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxPeerAnswer))
	if err != nil {
		return &unreachable{service: p.Service, tried: []string{from + " (" + err.Error() + ")"}, received: method != http.MethodGet}
	}
	if response.StatusCode < http.StatusBadRequest {
		if err = json.Unmarshal(raw, answer); err == nil {
			return nil
		}
		return &answered{from, problemBody{Status: http.StatusBadGateway, Code: "bad_gateway", Detail: "the answer is none of a viscount server: " + err.Error()}}
	}
	refusal := &answered{from: from}
	if json.Unmarshal(raw, &refusal.problem) != nil || refusal.problem.Code == "" {
		refusal.problem = problemBody{Code: "bad_gateway", Detail: fmt.Sprintf("no problem+json: %.200s", strings.TrimSpace(string(raw)))}
	}
	refusal.problem.Status = response.StatusCode
	return refusal
}

// answered says that a peer refused what this process asked of it.
type answered struct {
	from    string
	problem problemBody
}

func (a *answered) Error() string {
	return fmt.Sprintf("%s answered %d %s: %s", a.from, a.problem.Status, a.problem.Code, a.problem.Detail)
}
