package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/config"
)

// tokenPrefix lets people, and scanners for leaked secrets, tell what it is.
const tokenPrefix = "vsc_"

func newTokenCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Tokens of the API (http.auth.tokens_file)"}
	var t config.Token
	var file string
	create := &cobra.Command{
		Use: "create NAME", Short: "Make a token; only its hash is kept", Args: takes("NAME"),
		Long: "Makes a token and prints it, once. With --file, its entry is added to that file, which a running server reads again by itself;\n" +
			"without, the entry is printed too. Roles: viewer reads; publisher publishes events of the --source services that it is bound to;\n" +
			"operator also commands, requeues and pauses; admin also discards and sees personal data. Operators and admins may publish with --source too.",
		Example: "  export VISCOUNT_TOKEN=$(viscount token create anna --role operator --file tokens.yaml)",
		RunE: func(cmd *cobra.Command, args []string) error {
			t.Name = args[0]
			return createToken(cmd, g, t, file)
		},
	}
	flags := create.Flags()
	flags.StringVar(&t.Role, "role", "", strings.Join(config.Roles(), ", "))
	flags.StringSliceVar(&t.Sources, "source", nil, "source_service whose events it may publish (repeatable)")
	flags.StringVar(&file, "file", "", "file of tokens to add it to; made if missing")
	cmd.AddCommand(create)
	return cmd
}

func createToken(cmd *cobra.Command, g *globals, t config.Token, file string) error {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
	sum := sha256.Sum256([]byte(token))
	t.SHA256 = hex.EncodeToString(sum[:])
	if problems := t.Problems(); len(problems) > 0 {
		return &exitError{code: exitUsage, err: &config.Problems{List: problems}}
	}
	if file != "" {
		if err := addToken(file, t); err != nil {
			return &exitError{code: exitUsage, err: err}
		}
	}
	out := cmd.OutOrStdout()
	if g.Output == "json" {
		return printJSON(out, map[string]any{"name": t.Name, "role": t.Role, "sources": t.Sources, "token": token, "sha256": t.SHA256})
	}
	_, err := fmt.Fprintln(out, token)
	if file == "" && err == nil {
		_, err = fmt.Fprintf(out, "\nKeep it: it is shown once. For the file of http.auth.tokens_file:\n\ntokens:\n%s", t.Entry())
	}
	return err
}

// addToken adds an entry to a file of tokens, which is checked before and after; what stands in it stays as it is.
func addToken(file string, t config.Token) error {
	text, err := os.ReadFile(file)
	mode := os.FileMode(0o600)
	switch {
	case errors.Is(err, os.ErrNotExist):
		text = []byte("tokens:\n")
	case err != nil:
		return err
	default:
		if _, err := config.ReadTokens(file); err != nil {
			return err
		}
		if info, err := os.Stat(file); err == nil {
			mode = info.Mode()
		}
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	next := file + ".new"
	if err := os.WriteFile(next, append(text, t.Entry()...), mode); err != nil {
		return err
	}
	if _, err := config.ReadTokens(next); err != nil { // another style of YAML, or a name that is taken
		return errors.Join(fmt.Errorf("%s cannot take this entry at its end: %w\n\n%s", file, err, t.Entry()), os.Remove(next))
	}
	return os.Rename(next, file)
}
