package simulator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// client talks to the platform and outlives its restarts: what fails to arrive is sent again, with the same key.
type client struct {
	base, token string
	patience    time.Duration
	http        *http.Client
}

func newClient(o Options) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = shoppers+askers, shoppers+askers
	return &client{base: strings.TrimRight(o.URL, "/"), token: o.Token, patience: o.SettleTimeout, http: &http.Client{Transport: transport}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// refusal is an answer that says no.
type refusal struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Detail) }

// refusedWith tells whether err is a refusal with one of the codes.
func refusedWith(err error, codes ...string) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, code := range codes {
		if r.Code == code {
			return true
		}
	}
	return false
}

func (c *client) get(ctx context.Context, path string, answer any) error {
	return c.send(ctx, http.MethodGet, path, "", nil, answer)
}

func (c *client) post(ctx context.Context, path, key string, body, answer any) error {
	return c.send(ctx, http.MethodPost, path, key, body, answer)
}

// send repeats a request until it is answered, for as long as the patience lasts.
func (c *client) send(ctx context.Context, method, path, key string, body, answer any) error {
	var raw []byte
	var err error
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(c.patience)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		again, err := c.once(ctx, method, path, key, raw, answer)
		if !again || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once sends a request; again says that repeating it may help.
func (c *client) once(ctx context.Context, method, path, key string, raw []byte, answer any) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, bytes.NewReader(raw))
	if err != nil {
		return false, err
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	c.authorise(request)
	response, err := c.http.Do(request)
	if err != nil {
		return true, fmt.Errorf("%s %s: %w", method, path, err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return true, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		no := &refusal{Status: response.StatusCode}
		if json.Unmarshal(text, no) != nil {
			no.Detail = string(text)
		}
		return response.StatusCode >= http.StatusInternalServerError || no.Code == "idempotency_key_running", fmt.Errorf("%s %s: %w", method, path, no)
	}
	if answer == nil {
		return false, nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return false, fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	return false, nil
}

func (c *client) authorise(r *http.Request) {
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
}

// platformFacts are the counters before and after a run.
type platformFacts struct {
	duplicates, dead int64
	commits          float64
	started          float64 // of the process that counts the commits
	services         []string
}

func (c *client) platform(ctx context.Context) (f platformFacts, err error) {
	var status struct {
		Services []struct {
			Service    string `json:"service"`
			Duplicates int64  `json:"duplicates"`
			Dead       int64  `json:"dead"`
		} `json:"services"`
	}
	if err := c.get(ctx, "/status", &status); err != nil {
		return f, fmt.Errorf("no platform answers at %s: %w", c.base, err)
	}
	for _, s := range status.Services {
		f.duplicates += s.Duplicates
		f.dead += s.Dead
		f.services = append(f.services, s.Service)
	}
	if f.started, err = c.metric(ctx, "process_start_time_seconds "); err != nil {
		return f, err
	}
	f.commits, err = c.metric(ctx, "viscount_store_commits_total{")
	return f, err
}

// metric sums the samples whose line begins with prefix.
func (c *client) metric(ctx context.Context, prefix string) (sum float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	c.authorise(request)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), prefix) {
			continue
		}
		value, err := strconv.ParseFloat(lines.Text()[strings.LastIndexByte(lines.Text(), ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("reading the metrics: %w", err)
		}
		sum += value
	}
	return sum, lines.Err()
}

// open reads an answer as it comes.
func (c *client) open(ctx context.Context, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1"+path, nil)
	if err != nil {
		return nil, err
	}
	c.authorise(request)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("GET %s: %s", path, response.Status), response.Body.Close())
	}
	return response.Body, nil
}

// lines reads an NDJSON answer line by line.
func (c *client) lines(ctx context.Context, path string, read func(line []byte) error) error {
	body, err := c.open(ctx, path)
	if err != nil {
		return err
	}
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, 1<<20)
	for n := 1; err == nil && scanner.Scan(); n++ {
		if err = read(scanner.Bytes()); err != nil {
			err = fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	return errors.Join(err, scanner.Err(), body.Close())
}
