// Command bench measures what the targets of this project are about, side by side in one run: ours, stock Watermill, and the
// client alone. `make bench` runs it against the servers of `make brokers`; docs/benchmarks.md explains the table.
//
// It imports whatever it measures, and is the one folder beside the drivers that links brokers' clients of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
)

type options struct {
	rounds   int
	seconds  float64 // of one measurement
	cells    string
	only     string
	out      string
	profile  string
	kafka    []string
	postgres string
	pubsub   string // empty: that cell is missing
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each cell; the table shows medians")
	flag.Float64Var(&o.seconds, "seconds", 2, "how long one measurement takes at most")
	flag.StringVar(&o.cells, "cells", "", "only cells whose names begin with one of these, comma-separated; -cells list names them")
	flag.StringVar(&o.only, "only", "", "only these contestants of a cell, comma-separated")
	flag.StringVar(&o.out, "o", "", "file for the results as JSON")
	flag.StringVar(&o.profile, "cpuprofile", "", "file for a CPU profile of everything that runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.cells == "list" {
		for _, c := range allCells(&bench{}) {
			fmt.Printf("%-20s %s\n", c.name, c.title)
		}
		return nil
	}
	kafka, postgres := os.Getenv("TEST_KAFKA"), os.Getenv("TEST_POSTGRES")
	if kafka == "" || postgres == "" {
		return errors.New("TEST_KAFKA and TEST_POSTGRES name no servers: run make brokers first, then make bench")
	}
	o.kafka, o.postgres = strings.Split(kafka, ","), postgres
	if os.Getenv("TEST_PUBSUB_IS") == "" { // a stand-in is none to measure
		o.pubsub = os.Getenv("TEST_PUBSUB")
	}
	if o.profile != "" {
		file, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	results, failed := b.measureAll(ctx)
	b.close()
	report := newReport(o, results)
	report.print(os.Stdout)
	if o.out != "" {
		failed = errors.Join(failed, report.save(o.out))
	}
	return failed
}
