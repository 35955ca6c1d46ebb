package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// cell is one comparison, with what is asked of it.
type cell struct {
	name, title string
	target      float64 // ours is at least this many times as fast as against
	against     string  // a contestant
	contestants []contestant
	fill        func(ctx context.Context, round int) (data, error) // what the contestants of a round work on
	missing     string                                             // why it is not measured
}

// contestant is one way of doing what a cell measures. run answers how many messages a second it did.
type contestant struct {
	name string
	run  func(ctx context.Context, d data) (float64, error)
}

// data is where the messages of a round are.
type data struct {
	topic string
	empty func(ctx context.Context) error // removes them; nil if they serve other rounds too
}

const (
	ours  = "ours"
	stock = "stock Watermill"
	raw   = "raw client"
)

// allCells are the cells that have a target, in the order.
func allCells(b *bench) []cell {
	return slices.Concat(kafkaCells(b), sqlCells(b), pubsubCells(b))
}

type result struct {
	cell    cell
	samples map[string][]float64 // by contestant, messages a second
	err     error
}

func (r *result) ratio() float64 {
	other := median(r.samples[r.cell.against])
	if other == 0 {
		return 0
	}
	return median(r.samples[ours]) / other
}

// measureAll measures the cells that were asked for. A cell that fails stops no other.
func (b *bench) measureAll(ctx context.Context) (results []result, failed error) {
	for _, c := range allCells(b) {
		if !selected(b.cells, c.name) {
			continue
		}
		r := result{cell: c, samples: map[string][]float64{}}
		if c.missing == "" {
			began := time.Now()
			r.err = b.measure(ctx, &r)
			progress("%s: %v", c.name, time.Since(began).Round(time.Second))
		}
		if r.err != nil {
			progress("%s: %v", c.name, r.err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, r.err))
		}
		results = append(results, r)
		if ctx.Err() != nil {
			return results, errors.Join(failed, ctx.Err())
		}
	}
	return results, failed
}

func selected(names, name string) bool {
	for prefix := range strings.SplitSeq(names, ",") {
		if strings.HasPrefix(name, strings.TrimSpace(prefix)) {
			return true
		}
	}
	return false
}

// measure runs the rounds of a cell. Each round every contestant has its turn, and another one begins.
func (b *bench) measure(ctx context.Context, r *result) error {
	for round := range b.rounds {
		d, err := r.cell.fill(ctx, round)
		if err != nil {
			return fmt.Errorf("filling: %w", err)
		}
		n := len(r.cell.contestants)
		for i := range n {
			c := r.cell.contestants[(round+i)%n]
			if b.only != "" && !slices.Contains(strings.Split(b.only, ","), c.name) {
				continue
			}
			if err := b.settle(ctx); err != nil {
				return fmt.Errorf("settling: %w", err)
			}
			rate, err := c.run(ctx, d)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			progress("%s %d: %s %.0f/s", r.cell.name, round+1, c.name, rate)
			r.samples[c.name] = append(r.samples[c.name], rate)
		}
		if d.empty != nil {
			if err := d.empty(ctx); err != nil {
				return fmt.Errorf("emptying: %w", err)
			}
		}
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
