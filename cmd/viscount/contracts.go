package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/events"
)

func newContractsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "contracts", Short: "The events that services agree on"}
	var version string
	show := &cobra.Command{
		Use: "show TYPE [--version N]", Short: "Show one contract with its fields", Args: takes("TYPE"),
		RunE: func(cmd *cobra.Command, args []string) error { return showContract(cmd, g, args[0], version) },
	}
	show.Flags().StringVar(&version, "version", "", "a major version, such as 1; the newest if not given")
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List every contract", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error { return listContracts(cmd, g) },
	}, show, newGenerateCommand(), newContractsCheckCommand(g), newContractsDiffCommand(g), newContractsDocsCommand())
	return cmd
}

// contractRow is a contract for programs.
type contractRow struct {
	Type      string   `json:"type"`
	Version   string   `json:"version"`
	Versions  []string `json:"versions"` // every major version that is kept, oldest first
	Topic     string   `json:"topic"`
	Notices   string   `json:"dead_letter_topic"`
	Key       string   `json:"key"`
	Publisher string   `json:"publisher"`
	Consumers []string `json:"consumers"`
	Follows   []string `json:"follows"`
	Retention string   `json:"retention"`
	Purpose   string   `json:"purpose"`
	When      string   `json:"when_published"`
	Addition  bool     `json:"addition"`
	Migration string   `json:"migration,omitzero"`

	Deprecated events.Deprecation `json:"deprecated,omitzero"`
	Fields     []events.Field     `json:"fields,omitzero"`
}

func rowOf(d *events.Definition) contractRow {
	k := d.Contract
	row := contractRow{
		Type: k.Type, Version: k.Version, Topic: k.Topic(), Notices: k.DeadLetterTopic(), Migration: k.Migration, Deprecated: k.Deprecated, Key: strings.ReplaceAll(k.Key, "|", " or "), Publisher: k.Publisher, Consumers: k.Consumers,
		Follows: k.Follows, Retention: "unlimited", Purpose: k.Purpose, When: k.When, Addition: k.Addition,
	}
	if k.Retention != events.Unlimited {
		row.Retention = fmt.Sprintf("%d days", k.Retention/events.Day)
	}
	row.Versions = versionsOf(k.Type)
	return row
}

func versionsOf(eventType string) (all []string) {
	for _, major := range events.Platform().Majors(eventType) {
		all = append(all, major.Contract.Version)
	}
	return all
}

func listContracts(cmd *cobra.Command, g *globals) error {
	var rows []contractRow
	for _, d := range events.Platform().All() {
		rows = append(rows, rowOf(d))
	}
	if g.Output == "json" {
		return printJSON(cmd.OutOrStdout(), rows)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TYPE\tVERSION\tPUBLISHER\tCONSUMERS\tKEY\tRETENTION\t")
	for _, r := range rows {
		note := ""
		if r.Addition {
			note = "addition"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Type, r.Version, r.Publisher, strings.Join(r.Consumers, " "), r.Key, r.Retention, note)
	}
	return table.Flush()
}

func showContract(cmd *cobra.Command, g *globals, eventType, version string) error {
	d, known := events.Platform().Lookup(eventType)
	if !known {
		return no(fmt.Errorf("no contract is named %q; see viscount contracts list", eventType))
	}
	if version != "" {
		if d, known = events.Platform().Major(eventType, version); !known {
			return no(fmt.Errorf("%s has no major version %q; it has %s", eventType, version, strings.Join(versionsOf(eventType), ", ")))
		}
	}
	row := rowOf(d)
	row.Fields = d.Fields()
	if g.Output == "json" {
		return printJSON(cmd.OutOrStdout(), row)
	}
	out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	origin := "contract document"
	if row.Addition {
		origin = "addition to the contract document"
	}
	versions := ""
	if len(row.Versions) > 1 {
		versions = strings.Join(row.Versions, ", ")
	}
	follows := "nothing"
	if len(row.Follows) > 0 {
		follows = strings.Join(row.Follows, ", ") + " of the same key, where a consumer hears both"
	}
	for _, pair := range [][2]string{
		{"type", row.Type}, {"version", row.Version}, {"versions", versions}, {"deprecated", row.Deprecated.String()}, {"migration", row.Migration},
		{"topic", row.Topic}, {"notices", row.Notices}, {"key", row.Key}, {"publisher", row.Publisher}, {"consumers", strings.Join(row.Consumers, ", ")},
		{"follows", follows}, {"retention", row.Retention}, {"purpose", row.Purpose}, {"when", row.When}, {"origin", origin},
	} {
		if pair[1] != "" {
			fmt.Fprintf(out, "%s\t%s\n", pair[0], pair[1])
		}
	}
	fmt.Fprintln(out, "\nFIELD\tTYPE\tRULES AND MEANING")
	for _, f := range row.Fields {
		fmt.Fprintf(out, "%s\t%s\t%s\n", f.Path, f.Kind, strings.Join(rulesOf(f), "; "))
	}
	return out.Flush()
}

// rulesOf says what a publisher must keep and a reader should know of a field.
func rulesOf(f events.Field) (rules []string) {
	if f.Optional {
		rules = append(rules, "optional")
	}
	if f.Rule != "" {
		rules = append(rules, f.Rule.Words())
	}
	if len(f.Vocabulary) > 0 {
		rules = append(rules, "one of "+strings.Join(f.Vocabulary, ", "))
	}
	if f.Personal {
		rules = append(rules, "personal data")
	}
	if f.Subject {
		rules = append(rules, "names whose data it is")
	}
	if f.Deprecated.Deprecated() {
		rules = append(rules, f.Deprecated.String())
	}
	if f.Doc != "" {
		rules = append(rules, f.Doc)
	}
	return rules
}
