package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/contracts/site"
	"github.com/first-viscount/viscount/events"
)

func newContractsDocsCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "docs --out DIR", Short: "Write the contracts as a static site for people", Args: takes(),
		Long: "Write the contracts as a static site: a page per event, the map of the platform, a search over fields, the change log. A running server shows the same at /contracts.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := site.Render(events.Platform(), contracts.Changelog)
			if err != nil {
				return err
			}
			if err := writeFiles(dir, files); err != nil {
				return no(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "wrote %d files; open %s\n", len(files), filepath.Join(dir, "index.html"))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "folder to write to, made if missing")
	_ = cmd.MarkFlagRequired("out") // the flag is there
	return cmd
}

// writeFiles writes generated files below a folder.
func writeFiles(dir string, files []contracts.File) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
