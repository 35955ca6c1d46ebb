package contracts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

const envelope = "envelope"

// enveloped are the platform's contracts with the envelope edited.
func enveloped(edit func(e *contracts.Schema)) contracts.Set {
	set := contracts.Current(events.Platform())
	edit(set[envelope])
	return set
}

func TestBreakingChangesOfTheEnvelopeAreRefused(t *testing.T) {
	type schema = contracts.Schema
	for name, c := range map[string]struct {
		to         contracts.Set
		rule, path string
	}{
		"a member removed":              {enveloped(func(e *schema) { e.Properties = without(e.Properties, "correlation_id") }), contracts.RuleFieldRemoved, "correlation_id"},
		"the old dialect's member gone": {enveloped(func(e *schema) { e.Properties = without(e.Properties, "version") }), contracts.RuleFieldRemoved, "version"},
		"a member renamed": {enveloped(func(e *schema) {
			e.Properties = with(without(e.Properties, "timestamp"), "occurred_at", e.Properties.Get("timestamp"))
		}), contracts.RuleFieldRemoved, "timestamp"},
		"a member added as required": {enveloped(func(e *schema) {
			e.Properties, e.Required = with(e.Properties, "tenant", text), append(e.Required, "tenant")
		}), contracts.RuleRequired, "tenant"},
		"a member made required":  {enveloped(func(e *schema) { e.Required = append(e.Required, "event_version") }), contracts.RuleRequired, "event_version"},
		"a member made optional":  {enveloped(func(e *schema) { e.Required = e.Required[1:] }), contracts.RuleOptional, "event_id"},
		"a member retyped":        {enveloped(func(e *schema) { e.Properties.Get("event_version").Type = contracts.Types{"number"} }), contracts.RuleType, "event_version"},
		"data that is a list":     {enveloped(func(e *schema) { e.Properties.Get("data").Type = contracts.Types{"array"} }), contracts.RuleType, "data"},
		"another pattern":         {enveloped(func(e *schema) { e.Properties.Get("source_service").Pattern = "^svc-" }), contracts.RuleValues, "source_service"},
		"another pattern, shared": {enveloped(func(e *schema) { e.Defs.Get("timestamp").Pattern = "Z$" }), contracts.RuleValues, "timestamp"},
		"shorter correlation ids": {enveloped(func(e *schema) { e.Defs.Get("id").MaxLength = 64 }), contracts.RuleValues, "correlation_id"},
		"another format":          {enveloped(func(e *schema) { e.Properties.Get("event_id").Format = "" }), contracts.RuleValues, "event_id"},
		"the nil id accepted":     {enveloped(func(e *schema) { e.Properties.Get("event_id").Not = nil }), contracts.RuleValues, "event_id"},
		"both versions required":  {enveloped(func(e *schema) { e.If, e.Then = nil, nil }), contracts.RuleRequired, ""},
		"unknown members refused": {enveloped(func(e *schema) { e.Additional = &schema{Not: &schema{}} }), contracts.RuleRequired, ""},
		"a check more beyond schema": {enveloped(func(e *schema) {
			e.Beyond = append(e.Beyond, contracts.Beyond{Code: "too_old", What: "from before 2020"})
		}), contracts.RuleValues, ""},
		"no envelope": {func() contracts.Set { set := contracts.Current(events.Platform()); delete(set, envelope); return set }(), contracts.RuleRemoved, ""},
	} {
		t.Run(name, func(t *testing.T) {
			refused := contracts.Refused(contracts.Diff(contracts.Current(events.Platform()), c.to, today))
			require.Len(t, refused, 1, "%v", refused)
			require.Equal(t, envelope, refused[0].Contract)
			require.Equal(t, c.rule, refused[0].Rule, "%v", refused)
			require.Equal(t, c.path, refused[0].Path, "%v", refused)
			require.NotEmpty(t, refused[0].Remedy)
			require.NotContains(t, refused[0].Remedy, "upcaster", "the envelope has no major versions")
		})
	}
}

func TestCompatibleChangesOfTheEnvelopeAreAccepted(t *testing.T) {
	type schema = contracts.Schema
	for name, c := range map[string]struct {
		to   contracts.Set
		rule string // "": no change
		line string // of the change log
	}{
		"nothing": {to: enveloped(func(*schema) {})},
		"an optional member added": {enveloped(func(e *schema) { e.Properties = with(e.Properties, "trace_id", text) }), contracts.RuleFieldAdded,
			"- `envelope`: `trace_id` added, optional\n"},
		"a member described": {enveloped(func(e *schema) { e.Properties.Get("event_type").Description = "x" }), contracts.RuleWords,
			"- `envelope`: `event_type` described as \"x\", was \"What happened, as domain.action.\"\n"},
		"the envelope described": {enveloped(func(e *schema) { e.Description = "x" }), contracts.RuleWords, ""},
		"a member deprecated": {enveloped(func(e *schema) {
			e.Properties.Get("version").Deprecation = &contracts.Deprecation{Since: "1.1", Sunset: "2027-06-30", Use: "event_version"}
		}), contracts.RuleDeprecated, "- `envelope`: `version` deprecated since 1.1, until 2027-06-30; use event_version\n"},
		"a check reworded":   {enveloped(func(e *schema) { e.Beyond[0].What = "x" }), contracts.RuleWords, ""},
		"a check less":       {enveloped(func(e *schema) { e.Beyond = e.Beyond[1:] }), contracts.RuleValues, ""},
		"members in a row":   {enveloped(func(e *schema) { e.Properties[0], e.Properties[1] = e.Properties[1], e.Properties[0] }), "", ""},
		"its title and name": {enveloped(func(e *schema) { e.ID, e.Title = "urn:x", "x" }), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			changes := contracts.Diff(contracts.Current(events.Platform()), c.to, today)
			require.Empty(t, contracts.Refused(changes))
			if c.rule == "" {
				require.Empty(t, changes)
				return
			}
			require.Len(t, changes, 1, "%v", changes)
			require.Equal(t, c.rule, changes[0].Rule)
			if c.line != "" {
				require.Equal(t, "## x\n\n"+c.line, contracts.Section("x", changes))
			}
		})
	}
}

// TestTheEnvelopeIsLoadedWithTheContracts: from the committed files, as `contracts check` reads them.
func TestTheEnvelopeIsLoadedWithTheContracts(t *testing.T) {
	folder := t.TempDir()
	files, err := contracts.Schemas(events.Platform())
	require.NoError(t, err)
	for _, f := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.Base(f.Path)), f.Content, 0o600))
	}
	set, err := contracts.Load(t.Context(), folder)
	require.NoError(t, err)
	require.NotNil(t, set[envelope])
	require.Empty(t, contracts.Diff(set, contracts.Current(events.Platform()), today))

	set[envelope].Properties.Get("event_version").Pattern = "^1$"
	refused := contracts.Refused(contracts.Diff(set, contracts.Current(events.Platform()), today))
	require.Len(t, refused, 1)
	require.Equal(t, "envelope event_version: takes other values; one side would refuse what the other sends [field_values]; leave its values as they were, or "+
		"add an optional member beside it and keep this one: every publisher and consumer reads the envelope, and it has no major versions", refused[0].String())
}

// TestANameOfTheOldDialectIsPartOfItsContract: who still sends it, and recorded events, rely on it.
func TestANameOfTheOldDialectIsPartOfItsContract(t *testing.T) {
	platform := contracts.Current(events.Platform())
	gone := edited(t, reserved, func(_, s *contracts.Schema) {
		*s.Properties.Get("event_type") = contracts.Schema{Const: "inventory.reserved"}
	})
	refused := contracts.Refused(contracts.Diff(platform, gone, today))
	require.Len(t, refused, 1)
	require.Equal(t, "event_type", refused[0].Path)
	require.Equal(t, "InventoryReserved is no longer accepted", refused[0].What)
	more := contracts.Diff(gone, platform, today)
	require.Len(t, more, 1)
	require.False(t, more[0].Breaking)
}
