package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
)

// client talks to a server on behalf of a command.
type client struct {
	base, token string
	http        *http.Client
}

func (g *globals) client() *client {
	return &client{base: g.URL, token: g.Token, http: &http.Client{Timeout: 30 * time.Second}}
}

// get reads JSON into answer; a refusal is an error that says what the server said.
func (c *client) get(ctx context.Context, path string, answer any) error {
	request, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return c.exchange(request, answer)
}

// post sends a body and reads JSON into answer.
func (c *client) post(ctx context.Context, path, contentType string, body []byte, answer any) error {
	request, err := c.request(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	return c.exchange(request, answer)
}

func (c *client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	if err := c.checkURL(); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, body)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: fmt.Errorf("--url %q: %w", c.base, err)}
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}

// checkURL refuses what names no server, such as an address without http://.
func (c *client) checkURL() error {
	base, err := url.Parse(c.base)
	if err == nil && base.Host != "" && (base.Scheme == "http" || base.Scheme == "https") {
		return nil
	}
	address := c.base
	if _, after, found := strings.Cut(address, "://"); found {
		address = after
	}
	return &exitError{code: exitUsage, err: fmt.Errorf("--url (or VISCOUNT_URL) %q names no server: write http://%s", c.base, cmp.Or(address, "127.0.0.1:8080"))}
}

// exchange sends a request and reads the answer.
func (c *client) exchange(request *http.Request, answer any) error {
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(err)
	}
	defer response.Body.Close()
	return read(response, answer)
}

func (c *client) unreachable(err error) error {
	return no(fmt.Errorf("no answer from %s: %w (is it running? viscount serve, or name another server with --url)", c.base, err))
}

// apiProblem is a server's refusal.
type apiProblem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Index  *int        `json:"index"`
		Path   string      `json:"path"`
		Code   events.Code `json:"code"`
		Detail string      `json:"detail"`
	} `json:"errors"`
}

func (p *apiProblem) Error() string {
	lines := []string{fmt.Sprintf("refused (%d %s): %s", p.Status, p.Code, p.Detail)}
	for _, e := range p.Errors {
		where := e.Path
		if e.Index != nil {
			where = strings.TrimSpace(fmt.Sprintf("event %d %s", *e.Index, e.Path))
		}
		if where != "" { // else it is about the request as a whole
			where += ": "
		}
		lines = append(lines, fmt.Sprintf("  %s%s: %s", where, e.Code, e.Detail))
	}
	return strings.Join(lines, "\n")
}

func read(response *http.Response, answer any) error {
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return no(fmt.Errorf("reading the answer: %w", err))
	}
	if response.StatusCode >= http.StatusBadRequest {
		var p apiProblem
		if json.Unmarshal(raw, &p) != nil || p.Code == "" {
			p = apiProblem{Status: response.StatusCode, Code: "http", Detail: strings.TrimSpace(string(raw))}
		}
		return no(&p)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return no(fmt.Errorf("the answer is none of a viscount server: %w", err))
	}
	return nil
}

// printJSON writes a value for programs: indented, keys in a fixed order.
func printJSON(out io.Writer, value any) error {
	raw, err := json.Marshal(value, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, string(raw))
	return err
}
