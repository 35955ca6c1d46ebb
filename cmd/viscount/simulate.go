package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/first-viscount/viscount/simulator"
)

func newSimulateCommand(g *globals) *cobra.Command {
	var o simulator.Options
	cmd := &cobra.Command{
		Use: "simulate", Short: "Shoppers and staff use a running platform; then its invariants are recounted", Args: takes(),
		Long: "Creates products, places orders of every kind against --url, waits until each is settled, and recounts stock, money and events from the API's raw facts.\nWhere the server runs search, analytics, audit, procurement, customers, accounting or notifications, they are used and recounted, too.\nAn invariant that nothing of the run could break says \"nothing to check\": staff and webhooks, unless notifications.staff, and notifications.webhook.secret with private_addresses, are set.\nCan run many times on one server: its ids carry the seed and a run id. Exit 1 if an invariant is broken.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			var answer struct{}
			var lost *url.Error
			switch err := g.client().get(ctx, "/status", &answer); {
			case errors.As(err, &lost):
				fmt.Fprintf(cmd.ErrOrStderr(), "%v\nwaiting for it, up to %s\n", err, o.SettleTimeout)
			case err != nil:
				return err
			}
			o.URL, o.Token, o.Progress = g.URL, g.Token, newProgress(cmd.ErrOrStderr())
			report, err := simulator.Run(ctx, o)
			if err != nil {
				return no(err)
			}
			if g.Output == "json" {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				err = printReport(cmd.OutOrStdout(), report)
			}
			if err == nil && report.Broken() {
				err = no(fmt.Errorf("an invariant is broken"))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.Orders, "orders", 1000, "orders to place")
	flags.Float64Var(&o.Rate, "rate", 0, "orders a second (default: as fast as they settle)")
	flags.Uint64Var(&o.Seed, "seed", 1, "what is ordered follows from it")
	flags.IntVar(&o.Products, "products", 200, "products to create")
	flags.DurationVar(&o.SettleTimeout, "settle-timeout", time.Minute, "how long nothing may settle before the run gives up")
	return cmd
}

func printReport(out io.Writer, r *simulator.Report) error {
	fmt.Fprintf(out, "%d orders in %.1f s: %.0f orders/s (seed %d, run %s)\n", r.Orders, r.Duration, r.OrdersPerSecond, r.Seed, r.RunID)
	fmt.Fprintf(out, "POST to settled: p50 %.0f ms, p95 %.0f ms, p99 %.0f ms\n", r.Latency.P50, r.Latency.P95, r.Latency.P99)
	fmt.Fprintf(out, "completed %d, cancelled %d, refunded %d, refused %d\n", r.Outcomes.Completed, r.Outcomes.Cancelled, r.Outcomes.Refunded, r.Refused)
	reasons := make([]string, 0, len(r.Reasons))
	for reason := range r.Reasons {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		fmt.Fprintf(out, "  %-20s %d\n", reason, r.Reasons[reason])
	}
	commits := fmt.Sprintf("%.2f", r.CommitsPerOrder)
	if r.CommitsPerOrder == 0 {
		commits = "unknown (the server was restarted)"
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintf(out, "not on this server, neither played nor recounted: %s\n", strings.Join(r.Skipped, ", "))
	}
	fmt.Fprintf(out, "commits per order %s, duplicates absorbed %d, dead letters %d\n\n", commits, r.DuplicatesAbsorbed, r.DeadLetters)
	for _, i := range r.Invariants {
		mark := "✓"
		switch {
		case !i.Held:
			mark = "✗ BROKEN"
		case i.Checked == 0:
			mark = "–"
		}
		if _, err := fmt.Fprintf(out, "%s %s (%s)\n", mark, i.Name, i.Detail); err != nil {
			return err
		}
	}
	return nil
}

// newProgress shows a bar on a terminal, and a line every few seconds elsewhere.
func newProgress(out io.Writer) simulator.Progress {
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return &bar{out: file}
	}
	return &lines{out: out}
}

type bar struct {
	out *os.File
	bar *progressbar.ProgressBar
}

func (b *bar) Phase(name string, total int) {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(b.out), progressbar.OptionSetDescription(fmt.Sprintf("%-9s", name)),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
	}
	if width, _, err := term.GetSize(int(b.out.Fd())); err == nil && width < wide { // a bar that is wrapped is not overwritten
		options = append(options, progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false))
	} else {
		options = append(options, progressbar.OptionShowIts())
	}
	b.bar = progressbar.NewOptions(total, options...)
}

const wide = 72 // columns that a bar with its rate and times needs

func (b *bar) Add(n int) {
	if err := b.bar.Add(n); err != nil {
		return // a bar that cannot be drawn is no reason to stop
	}
}

func (b *bar) Done() {
	if err := b.bar.Finish(); err != nil {
		return
	}
}
