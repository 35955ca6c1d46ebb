// Package failpoints breaks a process on purpose, for tests of what follows: VISCOUNT_FAILPOINTS=commit.before=kill@3.
//
// It imports no other folder.
package failpoints

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Names are the places that can fail, beside every handler: around the commit of a group, the publication of a run of events,
// the acknowledgement of a message and the storing of a dead letter.
var Names = []string{"commit.before", "commit.after", "publish.before", "publish.after", "ack.before", "ack.after", "deadletter.before", "deadletter.after"}

// handlerPoint is the form of the points before handlers: handler.SERVICE.EVENT_TYPE.
var handlerPoint = regexp.MustCompile(`^handler\.[a-z0-9_-]+\.[a-z0-9_]+\.[a-z0-9_.]+$`)

// ErrInjected is the error of a failpoint.
var ErrInjected = errors.New("injected by VISCOUNT_FAILPOINTS")

// Set are the failpoints of a process.
type Set struct {
	points map[string]*point
	hits   *prometheus.CounterVec
}

type point struct {
	spec     string
	act      func() error
	from, to int64 // of its passages, counted from 1
	passed   atomic.Int64
	lasting  time.Duration // from the first strike on; 0: passages say
	until    atomic.Int64  // when that ends, in Unix nanoseconds
}

// Parse reads a list such as commit.before=kill@3,publish.after=error: the action kill, error or enospc at the third passage
// (@3), from the third on (@3-), between the third and the ninth (@3-9), for ten seconds from the third on (@3+10s), or at each.
func Parse(list string) (*Set, error) {
	s := &Set{
		points: map[string]*point{},
		hits:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_failpoint_hits_total", Help: "Faults injected by VISCOUNT_FAILPOINTS."}, []string{"point"}),
	}
	var errs []error
	for spec := range strings.SplitSeq(list, ",") {
		spec = strings.TrimSpace(spec)
		name, action, found := strings.Cut(spec, "=")
		if !found {
			errs = append(errs, fmt.Errorf("%q: write point=action, as in commit.before=kill@3", spec))
			continue
		}
		if !slices.Contains(Names, name) && !handlerPoint.MatchString(name) {
			errs = append(errs, fmt.Errorf("%q: no point is named %q; there are %s and handler.SERVICE.EVENT_TYPE", spec, name, strings.Join(Names, ", ")))
			continue
		}
		p, err := parsePoint(action)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", spec, err))
			continue
		}
		p.spec = spec
		s.points[name] = p
	}
	return s, errors.Join(errs...)
}

func parsePoint(text string) (*point, error) {
	action, when, bounded := strings.Cut(text, "@")
	p := &point{from: 1, to: 1 << 62}
	switch action {
	case "kill":
		p.act = killSelf
	case "error":
		p.act = func() error { return ErrInjected }
	case "enospc":
		p.act = func() error { return fmt.Errorf("%w: %w", ErrInjected, syscall.ENOSPC) }
	default:
		return nil, fmt.Errorf("no action is named %q; there are kill, error and enospc", action)
	}
	if !bounded {
		return p, nil
	}
	if at, lasting, timed := strings.Cut(when, "+"); timed {
		var err error
		if p.lasting, err = time.ParseDuration(lasting); err != nil || p.lasting <= 0 {
			return nil, fmt.Errorf("%q is no time; write @3+10s", when)
		}
		when = at + "-"
	}
	from, to, ranged := strings.Cut(when, "-")
	var err error
	if p.from, err = strconv.ParseInt(from, 10, 64); err != nil || p.from < 1 {
		return nil, fmt.Errorf("%q is no passage; write @3, @3- or @3-9", when)
	}
	switch {
	case !ranged:
		p.to = p.from
	case to != "":
		if p.to, err = strconv.ParseInt(to, 10, 64); err != nil || p.to < p.from {
			return nil, fmt.Errorf("%q is no range of passages; write @3-9", when)
		}
	}
	return p, nil
}

// killSelf ends the process as a power cut does.
func killSelf() error {
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return err
	}
	select {} // the signal is on its way
}

// Register tells how often each point has struck.
func (s *Set) Register(r prometheus.Registerer) { r.MustRegister(s.hits) }

// Hit passes a point, which may strike.
func (s *Set) Hit(name string) error {
	p := s.points[name]
	if p == nil {
		return nil
	}
	if n := p.passed.Add(1); n < p.from || n > p.to {
		return nil
	}
	if p.lasting > 0 {
		now := time.Now()
		p.until.CompareAndSwap(0, now.Add(p.lasting).UnixNano())
		if now.UnixNano() >= p.until.Load() {
			return nil
		}
	}
	s.hits.WithLabelValues(name).Inc()
	return p.act()
}
