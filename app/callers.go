package app

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/config"
)

// lookEvery is how often the file of tokens is looked at, at most.
const lookEvery = time.Second

// callers knows the tokens of a file, which is read again when it changes. While it cannot be read, those known before stand.
type callers struct {
	file string
	log  *slog.Logger

	mu      sync.Mutex
	known   []known
	looked  time.Time
	size    int64
	changed time.Time
	err     error
}

type known struct {
	sum    []byte
	caller api.Caller
}

// openCallers reads the file for the first time. There are none without a file.
func openCallers(file string, log *slog.Logger) (*callers, error) {
	if file == "" {
		return nil, nil
	}
	c := &callers{file: file, log: log}
	c.look(time.Now())
	return c, c.err
}

// find tells who a token is of, in a time that says nothing about the tokens that are known.
func (c *callers) find(token string) (api.Caller, bool) {
	c.mu.Lock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.look(now)
	}
	tokens := c.known
	c.mu.Unlock()
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range tokens {
		if subtle.ConstantTimeCompare(sum[:], tokens[i].sum) == 1 {
			found = i
		}
	}
	if found < 0 {
		return api.Caller{}, false
	}
	return tokens[found].caller, true
}

// look reads the file if it has changed.
func (c *callers) look(now time.Time) {
	c.looked = now
	info, err := os.Stat(c.file)
	if err == nil {
		if info.ModTime().Equal(c.changed) && info.Size() == c.size {
			return
		}
		c.changed, c.size = info.ModTime(), info.Size()
	} else {
		c.changed = time.Time{} // what appears again is read again
	}
	tokens, err := config.ReadTokens(c.file)
	if err != nil {
		if c.err == nil || c.err.Error() != err.Error() {
			c.log.Error("the file of tokens cannot be used; those known before stand", "error", err)
		}
		c.err = err
		return
	}
	c.err = nil
	c.known = make([]known, len(tokens))
	for i, t := range tokens {
		sum, _ := hex.DecodeString(t.SHA256) // ReadTokens has decoded it
		c.known[i] = known{sum, api.Caller{Name: t.Name, Role: api.Role(t.Role), Sources: t.Sources}}
	}
	c.log.Info("tokens read", "file", c.file, "tokens", len(tokens))
}

// problem is why the tokens that stand may not be those of the file, nil if they are.
func (c *callers) problem() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
