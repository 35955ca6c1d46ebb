package main

import (
	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

func newGenerateCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "generate", Short: "Write schemas and specifications from the contracts", Args: takes(),
		Long: "Write everything that derives from the contracts into a checkout of this repository: JSON Schemas and Python models of every event (contracts/schemas, python), contracts/asyncapi.json, api/openapi.json and the first section of contracts/CHANGELOG.md.",
		RunE: func(*cobra.Command, []string) error {
			files, err := generated(events.Platform())
			if err != nil {
				return err
			}
			return writeFiles(dir, files)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "the checkout to write to")
	return cmd
}

// generated are all files that derive from the contracts.
func generated(catalogue *events.Catalogue) (all []contracts.File, err error) {
	for _, generate := range []func(*events.Catalogue) ([]contracts.File, error){contracts.Schemas, contracts.AsyncAPI, api.OpenAPI, contracts.Python, contracts.ChangelogFile} {
		files, err := generate(catalogue)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}
