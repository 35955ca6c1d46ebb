package main

import (
	"cmp"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes: 1, the answer is no; 2, usage or configuration.
const (
	exitNo    = 1
	exitUsage = 2
)

// exitError ends the program with a code; err may be nil when all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return "failed"
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// no is the answer no.
func no(err error) error { return &exitError{code: exitNo, err: err} }

// globals are the flags of every command.
type globals struct {
	URL       string // of the server that commands talk to
	Token     string
	Output    string // text or json
	LogLevel  string
	LogFormat string
}

const defaultURL = "http://127.0.0.1:8080"

func (g *globals) bind(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&g.URL, "url", cmp.Or(os.Getenv("VISCOUNT_URL"), defaultURL), "server to talk to (VISCOUNT_URL)")
	flags.StringVarP(&g.Output, "output", "o", "text", "text or json")
	flags.StringVar(&g.LogLevel, "log-level", "", "debug, info, warn or error (default info)")
	flags.StringVar(&g.LogFormat, "log-format", "", "auto, text or json (default auto: text on a terminal)")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return g.complete() }
}

// complete reads the token and checks what flags cannot.
func (g *globals) complete() error {
	g.URL = strings.TrimRight(g.URL, "/")
	if g.Output != "text" && g.Output != "json" {
		return &exitError{code: exitUsage, err: errorf("--output must be text or json, is %q", g.Output)}
	}
	g.Token = os.Getenv("VISCOUNT_TOKEN")
	if file := os.Getenv("VISCOUNT_TOKEN_FILE"); file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return &exitError{code: exitUsage, err: errorf("VISCOUNT_TOKEN_FILE: %w", err)}
		}
		g.Token = strings.TrimSpace(string(raw))
	}
	return nil
}
