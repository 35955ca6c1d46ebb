package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const lineEvery = 5 * time.Second

// lines reports progress where no terminal is.
type lines struct {
	out io.Writer

	mu          sync.Mutex
	name        string
	done, total int
	last        time.Time
}

func (l *lines) Phase(name string, total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.done, l.total, l.last = name, 0, total, time.Now()
}

func (l *lines) Add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += n
	if time.Since(l.last) >= lineEvery {
		l.last = time.Now()
		l.print()
	}
}

func (l *lines) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.print()
}

func (l *lines) print() { fmt.Fprintf(l.out, "%s %d/%d\n", l.name, l.done, l.total) }
