package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// fake answers as a peer; it remembers what it got.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	got  []string
	last *http.Request
}

func newFake(t *testing.T, answer http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.got, f.last = append(f.got, r.Method+" "+r.URL.RequestURI()+" "+string(body)), r
		f.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		connection.Close()
	}
}
