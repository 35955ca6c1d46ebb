package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/transports/driver"
)

// Main runs consumers of another repository as a process of their own, and exits: 0 after an orderly stop, 1 when it cannot
// run, 2 when its configuration is not usable. Configuration comes from the driver's profile, the file that VISCOUNT_CONFIG
// names and the environment.
func Main(name string, d driver.Driver, consumers ...router.Consumer) {
	names := make([]string, len(consumers))
	for i, c := range consumers {
		names[i] = c.Name
	}
	loaded, err := config.Load(config.Source{Env: os.Environ(), Services: names, Driver: d.Name})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: the configuration is not usable:\n%v\n", name, err)
		os.Exit(2)
	}
	o := Options{Config: loaded.Config, Driver: d, Consumers: consumers}
	if build, known := debug.ReadBuildInfo(); known {
		o.Version = build.Main.Version
	}
	err = Serve(context.Background(), o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		if errors.Is(err, ErrConfiguration) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// Serve runs a process until a signal comes: the first one drains, or ends a start that waits for its servers; a second one
// ends at once. It makes the logger and the tracers that o leaves out, and writes "ready on URL" to stderr when it is.
func Serve(ctx context.Context, o Options) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if o.Logger == nil {
		o.Logger = NewLogger(o.Config.Log, os.Stderr)
	}
	flush := func(context.Context) error { return nil }
	if o.Tracers == nil {
		var err error
		if o.Tracers, flush, err = NewTracers(ctx, o); err != nil {
			return err
		}
	}
	starting, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var a *App
	var failed error
	started := make(chan error, 1)
	go func() {
		var err error
		a, err = Start(starting, o)
		started <- err
	}()
	select {
	case err := <-started:
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "ready on "+a.URL())
		select {
		case <-signals:
			o.Logger.Info("stopping; a second signal ends at once", slog.Duration("drain_timeout", o.Config.DrainTimeout))
		case failed = <-a.Failed():
		}
		go endAtOnce(signals)
	case <-signals:
		o.Logger.Info("stopping before it was ready; a second signal ends at once")
		go endAtOnce(signals)
		giveUp()
		if err := <-started; err != nil {
			return flush(ctx) // the start has closed what it had opened
		}
	}
	began := time.Now()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Config.DrainTimeout)
	defer cancel()
	stopped := errors.Join(a.Stop(drain), flush(drain))
	if stopped == nil {
		o.Logger.Info("stopped; everything is closed", slog.Duration("took", time.Since(began).Round(time.Millisecond)))
	}
	return errors.Join(failed, stopped)
}

func endAtOnce(signals <-chan os.Signal) {
	if _, again := <-signals; again {
		os.Exit(1)
	}
}
