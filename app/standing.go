package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
)

const (
	standingEvery   = 2 * time.Second
	standingTimeout = 4 * time.Second
)

// watch asks the transport how it stands, so that whoever asks the process has an answer at once.
type watch struct {
	name      string
	transport driver.Transport

	mu   sync.Mutex
	last driver.Standing
	err  error
}

func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(standingEvery)
	defer tick.Stop()
	for {
		w.ask(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *watch) ask(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, standingTimeout)
	defer cancel()
	standing, err := w.transport.Standing(asked)
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err = err; err == nil { // else what was known last
		w.last = standing
	}
}

func (w *watch) standing() (driver.Standing, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last, w.err
}

// up tells whether the transport answers and takes events.
func (a *App) up() bool {
	_, err := a.watch.standing()
	for _, st := range a.stores {
		if !st.TransportUp() {
			return false
		}
	}
	return err == nil
}

// degraded is what works less well than it should, while the API goes on accepting.
func (a *App) degraded() []string {
	standing, err := a.watch.standing()
	lines := append([]string{}, standing.Degraded...)
	switch {
	case err != nil:
		lines = append(lines, fmt.Sprintf("transport %s: %v", a.watch.name, err))
	case !a.up():
		lines = append(lines, fmt.Sprintf("transport %s: does not take events; they wait in the outboxes", a.watch.name))
	}
	for _, s := range a.services {
		if cause, since, open := s.Circuit(); open {
			lines = append(lines, fmt.Sprintf("%s: the circuit is open since %s, one event a second is tried: %s", s.Name(), since.Format(time.RFC3339), cause))
		}
	}
	if err := a.callers.problem(); err != nil {
		lines = append(lines, fmt.Sprintf("http.auth: the tokens that were read before stand: %v", err))
	}
	return lines
}

// lag is what consumers of this process have not finished, by consumer and topic, beside what outboxes hold.
func (a *App) lag() map[string]map[string]store.Backlog {
	standing, _ := a.watch.standing() // degraded tells of the error
	lag := map[string]map[string]store.Backlog{}
	for _, l := range standing.Lag {
		if lag[l.Consumer] == nil {
			lag[l.Consumer] = map[string]store.Backlog{}
		}
		lag[l.Consumer][l.Topic] = store.Backlog{Events: l.Events, Oldest: l.Oldest}
	}
	return lag
}
