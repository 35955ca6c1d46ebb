package contracts_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

// propose gives the platform's contracts with one contract's schema edited, in its text.
func propose(t *testing.T, name string, replace ...string) contracts.Set {
	t.Helper()
	set := contracts.Current(events.Platform())
	raw, err := contracts.Write(set[name])
	require.NoError(t, err)
	text := string(raw)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, text, replace[i], "the edit fits nothing")
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	edited, err := contracts.Read([]byte(text))
	require.NoError(t, err)
	set[name] = edited
	return set
}

// edited changes a contract's schema as a change of its Go type would.
func edited(t *testing.T, name string, edit func(data, document *contracts.Schema)) contracts.Set {
	t.Helper()
	set := propose(t, name)
	edit(set[name].Properties.Get("data"), set[name])
	return set
}

func without(o contracts.Ordered, name string) contracts.Ordered {
	return slices.DeleteFunc(slices.Clone(o), func(p contracts.Property) bool { return p.Name == name })
}

func with(o contracts.Ordered, name string, s *contracts.Schema) contracts.Ordered {
	return append(without(o, name), contracts.Property{Name: name, Value: s})
}

const (
	orderCreated = "order.created.v1"
	reserved     = "inventory.reserved.v1"
	adjusted     = "inventory.adjusted.v1"
)

// today is after the sunset of the tests' deprecations.
var today = time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)

var text = &contracts.Schema{Type: contracts.Types{"string"}}

func TestBreakingChangesAreRefused(t *testing.T) {
	type schema = contracts.Schema
	platform := contracts.Current(events.Platform())
	drop := func(name string) contracts.Set {
		set := contracts.Current(events.Platform())
		delete(set, name)
		return set
	}
	second := func(edit func(s *contracts.Schema)) contracts.Set {
		set := propose(t, orderCreated, `"version": "1.0"`, `"version": "2.0"`, "order.created.v1", "order.created.v2", "order.created.v1.dlq", "order.created.v2.dlq")
		next := set[orderCreated]
		next.Contract.Upcasts, next.Contract.Migration = true, "Publishers go first."
		edit(next)
		set["order.created.v2"], set[orderCreated] = next, platform[orderCreated]
		return set
	}
	for name, c := range map[string]struct {
		to         contracts.Set
		rule, path string
	}{
		"a field removed": {edited(t, orderCreated, func(d, _ *schema) { d.Properties = without(d.Properties, "currency") }), contracts.RuleFieldRemoved, "data/currency"},
		"a field renamed": {edited(t, orderCreated, func(d, _ *schema) {
			d.Properties = with(without(d.Properties, "customer_id"), "buyer_id", d.Properties.Get("customer_id"))
		}), contracts.RuleFieldRemoved, "data/customer_id"},
		"an optional field removed": {edited(t, reserved, func(d, _ *schema) { d.Properties = without(d.Properties, "expires_at") }), contracts.RuleFieldRemoved, "data/expires_at"},
		"a nested field removed": {edited(t, orderCreated, func(_, s *schema) {
			item := s.Defs.Get("Item")
			item.Properties = without(item.Properties, "unit_price")
		}), contracts.RuleFieldRemoved, "data/items/*/unit_price"},
		"a shared object's field removed": {edited(t, orderCreated, func(_, s *schema) { a := s.Defs.Get("Address"); a.Properties = without(a.Properties, "state") }), contracts.RuleFieldRemoved, "data/shipping_address/state"},
		"a string became a number": {edited(t, orderCreated, func(d, _ *schema) {
			d.Properties = with(d.Properties, "status", &schema{Type: contracts.Types{"integer"}})
		}), contracts.RuleType, "data/status"},
		"an amount became an object": {edited(t, orderCreated, func(d, _ *schema) {
			d.Properties = with(d.Properties, "total_amount", &schema{Type: contracts.Types{"object"}})
		}), contracts.RuleType, "data/total_amount"},
		"a list became an object": {edited(t, orderCreated, func(d, _ *schema) {
			d.Properties = with(d.Properties, "items", &schema{Type: contracts.Types{"object"}})
		}), contracts.RuleType, "data/items"},
		"elements retyped":                {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("items").Items = text }), contracts.RuleType, "data/items/*"},
		"an optional field made required": {edited(t, reserved, func(d, _ *schema) { d.Required = append(d.Required, "order_id") }), contracts.RuleRequired, "data/order_id"},
		"a required field made optional":  {edited(t, orderCreated, func(d, _ *schema) { d.Required = d.Required[1:] }), contracts.RuleOptional, "data/order_id"},
		"a required field added": {edited(t, orderCreated, func(d, _ *schema) {
			d.Properties, d.Required = with(d.Properties, "channel", text), append(d.Required, "channel")
		}), contracts.RuleRequired, "data/channel"},
		"a vocabulary narrowed":                    {edited(t, adjusted, func(d, _ *schema) { f := d.Properties.Get("adjustment_type"); f.Vocabulary = f.Vocabulary[1:] }), contracts.RuleVocabulary, "data/adjustment_type"},
		"a word replaced":                          {edited(t, adjusted, func(d, _ *schema) { d.Properties.Get("adjustment_type").Vocabulary[0] = "refill" }), contracts.RuleVocabulary, "data/adjustment_type"},
		"a vocabulary where any text was":          {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("status").Vocabulary = []string{"pending"} }), contracts.RuleVocabulary, "data/status"},
		"a number's least raised":                  {propose(t, adjusted, `"minimum": 0`, `"minimum": 1`), contracts.RuleValues, "data/old_quantity"},
		"a number's least lowered":                 {propose(t, reserved, `"minimum": 1`, `"minimum": 0`), contracts.RuleValues, "data/quantity"},
		"a list may be empty":                      {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("items").MinItems = 0 }), contracts.RuleValues, "data/items"},
		"amounts with three decimals":              {propose(t, orderCreated, `{1,2}`, `{1,3}`), contracts.RuleValues, "data/total_amount"},
		"a text that had to be said may be empty":  {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("status").Ref, d.Properties.Get("status").Type = "", text.Type }), contracts.RuleValues, "data/status"},
		"another topic":                            {propose(t, orderCreated, `"topic": "order-management.`, `"topic": "orders.`), contracts.RuleTopic, ""},
		"another key":                              {propose(t, orderCreated, "\"key\": [\n      \"order_id\"", "\"key\": [\n      \"customer_id\""), contracts.RuleKey, ""},
		"another publisher":                        {propose(t, orderCreated, `"publisher": "order-management-service"`, `"publisher": "checkout-service"`), contracts.RulePublisher, ""},
		"a predecessor more":                       {propose(t, "order.refunded.v1", `"follows": []`, `"follows": ["order.created"]`), contracts.RuleFollows, ""},
		"a predecessor less":                       {edited(t, "order.validated.v1", func(_, s *schema) { s.Contract.Follows = nil }), contracts.RuleFollows, ""},
		"kept for a shorter time":                  {propose(t, orderCreated, `"400 days"`, `"30 days"`), contracts.RuleRetention, ""},
		"unlimited retention ended":                {propose(t, "product.created.v1", `"unlimited"`, `"400 days"`), contracts.RuleRetention, ""},
		"personal data no longer marked":           {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("shipping_address").Class = "" }), contracts.RulePersonal, "data/shipping_address"},
		"the person no longer marked":              {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("customer_id").Class = "" }), contracts.RulePersonal, "data/customer_id"},
		"the person is personal data now":          {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("customer_id").Class = "personal" }), contracts.RulePersonal, "data/customer_id"},
		"personal data names the person now":       {edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("billing_address").Class = "subject" }), contracts.RulePersonal, "data/billing_address"},
		"a nested field no longer personal":        {edited(t, orderCreated, func(_, s *schema) { s.Defs.Get("Address").Properties.Get("zip").Class = "" }), contracts.RulePersonal, "data/shipping_address/zip"},
		"a contract removed":                       {drop(orderCreated), contracts.RuleRemoved, ""},
		"a second major version without upcaster":  {second(func(s *schema) { s.Contract.Upcasts = false }), contracts.RuleMajor, ""},
		"a second major version without migration": {second(func(s *schema) { s.Contract.Migration = "" }), contracts.RuleMajor, ""},
		"a first version that is the third": {func() contracts.Set {
			set := propose(t, orderCreated)
			third := *set[orderCreated].Contract
			third.Upcasts, third.Migration = true, "Publishers go first."
			set["parcel.sent.v3"] = &schema{Contract: &third}
			return set
		}(), contracts.RuleMajor, ""},
	} {
		t.Run(name, func(t *testing.T) {
			refused := contracts.Refused(contracts.Diff(platform, c.to, today))
			require.NotEmpty(t, refused)
			require.Equal(t, c.rule, refused[0].Rule, "%v", refused)
			require.Equal(t, c.path, refused[0].Path, "%v", refused)
			require.NotEmpty(t, refused[0].Remedy)
			require.Contains(t, refused[0].String(), "["+c.rule+"]")
		})
	}
}

func TestCompatibleChangesAreAccepted(t *testing.T) {
	type schema = contracts.Schema
	platform := contracts.Current(events.Platform())
	next := propose(t, orderCreated, `"version": "1.0"`, `"version": "2.0"`)[orderCreated]
	next.Contract.Upcasts, next.Contract.Migration = true, "Publishers go first."
	withNext := func() contracts.Set {
		set := contracts.Current(events.Platform())
		set["order.created.v2"] = next
		return set
	}
	deprecation := &contracts.Deprecation{Since: "1.1", Sunset: "2027-06-30", Use: "order.created.v2"}
	for name, c := range map[string]struct {
		from, to contracts.Set
		rule     string
	}{
		"nothing":                        {to: contracts.Current(events.Platform())},
		"an optional field added":        {to: edited(t, orderCreated, func(d, _ *schema) { d.Properties = with(d.Properties, "channel", text) }), rule: contracts.RuleFieldAdded},
		"an optional nested field added": {to: edited(t, orderCreated, func(_, s *schema) { i := s.Defs.Get("Item"); i.Properties = with(i.Properties, "sku", text) }), rule: contracts.RuleFieldAdded},
		"a minor version":                {to: propose(t, orderCreated, `"version": "1.0"`, `"version": "1.1"`), rule: contracts.RuleVersion},
		"a vocabulary widened": {to: edited(t, adjusted, func(d, _ *schema) {
			f := d.Properties.Get("adjustment_type")
			f.Vocabulary = append(f.Vocabulary, "recount")
		}), rule: contracts.RuleVocabulary},
		"a vocabulary given up":           {to: edited(t, adjusted, func(d, _ *schema) { d.Properties.Get("adjustment_type").Vocabulary = nil })},
		"a consumer more":                 {to: edited(t, orderCreated, func(_, s *schema) { s.Contract.Consumers = append(s.Contract.Consumers, "fraud") }), rule: contracts.RuleConsumers},
		"a consumer less":                 {to: edited(t, orderCreated, func(_, s *schema) { s.Contract.Consumers = s.Contract.Consumers[1:] }), rule: contracts.RuleConsumers},
		"kept for a longer time":          {to: propose(t, reserved, `"30 days"`, `"400 days"`), rule: contracts.RuleRetention},
		"kept for ever":                   {to: propose(t, reserved, `"30 days"`, `"unlimited"`), rule: contracts.RuleRetention},
		"a field deprecated":              {to: edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("status").Deprecation = deprecation }), rule: contracts.RuleDeprecated},
		"a field marked as personal data": {to: edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("order_id").Class = "personal" }), rule: contracts.RulePersonal},
		"a field marked as the person":    {to: edited(t, "order.completed.v1", func(d, _ *schema) { d.Properties.Get("customer_id").Class = "subject" }), rule: contracts.RulePersonal},
		"a field described":               {to: edited(t, orderCreated, func(d, _ *schema) { d.Properties.Get("status").Description = "Always pending." }), rule: contracts.RuleWords},
		"an event deprecated":             {to: edited(t, orderCreated, func(_, s *schema) { s.Contract.Deprecation = deprecation }), rule: contracts.RuleDeprecated},
		"published at another time":       {to: edited(t, orderCreated, func(_, s *schema) { s.Contract.When = "At once." }), rule: contracts.RuleWords},
		"another purpose":                 {to: edited(t, orderCreated, func(_, s *schema) { s.Description = "Published for each order." }), rule: contracts.RuleWords},
		"a new contract": {from: func() contracts.Set {
			set := contracts.Current(events.Platform())
			delete(set, orderCreated)
			return set
		}(), to: platform, rule: contracts.RuleAdded},
		"a new major version with all it needs": {to: withNext(), rule: contracts.RuleMajor},
		"a deprecated major version removed": {
			from: func() contracts.Set {
				set := withNext()
				set[orderCreated] = edited(t, orderCreated, func(_, s *schema) { s.Contract.Deprecation = deprecation })[orderCreated]
				return set
			}(),
			to: func() contracts.Set { set := withNext(); delete(set, orderCreated); return set }(), rule: contracts.RuleRemoved,
		},
	} {
		t.Run(name, func(t *testing.T) {
			from := c.from
			if from == nil {
				from = platform
			}
			changes := contracts.Diff(from, c.to, today)
			require.Empty(t, contracts.Refused(changes))
			if c.rule != "" {
				require.NotEmpty(t, changes)
				require.Equal(t, c.rule, changes[0].Rule)
			}
		})
	}
}

// TestAMajorVersionIsKeptUntilItsSunset: one that is marked goes after that day, and after a state that held it beside the next.
func TestAMajorVersionIsKeptUntilItsSunset(t *testing.T) {
	old := func(d *contracts.Deprecation) *contracts.Schema {
		return edited(t, orderCreated, func(_, s *contracts.Schema) { s.Contract.Deprecation = d })[orderCreated]
	}
	next := propose(t, orderCreated, `"version": "1.0"`, `"version": "2.0"`)[orderCreated]
	next.Contract.Upcasts, next.Contract.Migration = true, "Publishers go first."
	marked := &contracts.Deprecation{Since: "1.1", Sunset: "2027-06-30", Use: "order.created.v2"}
	with := func(v1, v2 *contracts.Schema) contracts.Set {
		set := contracts.Set{}
		for name, s := range map[string]*contracts.Schema{orderCreated: v1, "order.created.v2": v2} {
			if s != nil {
				set[name] = s
			}
		}
		return set
	}
	sunset := time.Date(2027, 6, 30, 23, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		before, after contracts.Set
		on            time.Time
		remedy        string // "": it may go
	}{
		"after its sunset":           {with(old(marked), next), with(nil, next), today, ""},
		"where no day is looked at":  {with(old(marked), next), with(nil, next), time.Time{}, ""},
		"on the day of its sunset":   {with(old(marked), next), with(nil, next), sunset, "keep it until then"},
		"when the next one comes":    {with(old(marked), nil), with(nil, next), today, "keep it beside order.created.v2 until its sunset, 2027-06-30"},
		"with no next one":           {with(old(marked), nil), with(nil, nil), today, "keep it for one major version, marked as deprecated with since, sunset and use"},
		"without having been marked": {with(old(nil), next), with(nil, next), today, "keep it for one major version, marked as deprecated with since, sunset and use"},
		"and its next one with it":   {with(old(marked), next), with(nil, nil), today, "keep it for one major version, marked as deprecated with since, sunset and use"},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			for _, change := range contracts.Diff(c.before, c.after, c.on) {
				if change.Contract == orderCreated {
					found = true
					require.Equal(t, contracts.RuleRemoved, change.Rule)
					require.Equal(t, c.remedy, change.Remedy)
					require.Equal(t, c.remedy != "", change.Breaking)
				}
			}
			require.True(t, found, "the removal is told")
		})
	}
}

func TestVersionsAndSunsetsGoForward(t *testing.T) {
	at := func(version, sunset string) contracts.Set {
		return edited(t, orderCreated, func(d, s *contracts.Schema) {
			s.Contract.Version = version
			if sunset != "" {
				d.Properties.Get("status").Deprecation = &contracts.Deprecation{Since: "1.1", Sunset: sunset, Use: "x"}
			}
		})
	}
	for name, c := range map[string]struct {
		from, to contracts.Set
		what     string
		breaking bool
	}{
		"a lower version":      {at("1.10", ""), at("1.9", ""), "order.created.v1: version 1.9, was 1.10 [version]; count up", true},
		"an earlier sunset":    {at("1.1", "2027-06-30"), at("1.1", "2027-06-29"), "order.created.v1 data/status: sunset 2027-06-29, was 2027-06-30 [deprecation]; keep to the date that was announced", true},
		"no longer deprecated": {at("1.1", "2027-06-30"), at("1.1", ""), "order.created.v1 data/status: no longer deprecated [deprecation]", false},
	} {
		changes := contracts.Diff(c.from, c.to, today)
		require.Len(t, changes, 1, name)
		require.Equal(t, c.what, changes[0].String(), name)
		require.Equal(t, c.breaking, changes[0].Breaking, name)
	}
	require.Empty(t, contracts.Refused(contracts.Diff(at("1.9", "2027-06-30"), at("1.10", "2027-07-31"), today)))
}

func TestWhatIsThereAfterItsSunsetIsWarnedOf(t *testing.T) {
	marked := &contracts.Deprecation{Since: "1.1", Sunset: "2027-06-30", Use: "x"}
	later := &contracts.Deprecation{Since: "1.1", Sunset: "2027-07-01", Use: "x"}
	set := edited(t, orderCreated, func(d, s *contracts.Schema) {
		d.Properties.Get("status").Deprecation, d.Properties.Get("currency").Deprecation = marked, later
		s.Defs.Get("Item").Properties.Get("unit_price").Deprecation = marked
		s.Contract.Deprecation = marked
	})
	var warnings []string
	for _, c := range contracts.Overdue(set, today) {
		require.False(t, c.Breaking)
		warnings = append(warnings, c.String())
	}
	require.Equal(t, []string{
		"order.created.v1: still there after its sunset, 2027-06-30 [deprecation]; remove it when nobody publishes or hears it any more; use x",
		"order.created.v1 data/status: still there after its sunset, 2027-06-30 [deprecation]; leave it out of the next major version; use x",
		"order.created.v1 data/items/*/unit_price: still there after its sunset, 2027-06-30 [deprecation]; leave it out of the next major version; use x",
	}, warnings)
	require.Empty(t, contracts.Overdue(set, today.AddDate(0, 0, -1)))
}

func TestASectionNamesTheEventAndItsMajorVersion(t *testing.T) {
	require.Equal(t, "## 1.3.0\n\n- `order.validated`: new: x\n- `parcel.sent`: (version 2) breaking: `weight` removed\n", contracts.Section("1.3.0", []contracts.Change{
		{Contract: "order.validated.v1", What: "new: x"}, {Contract: "parcel.sent.v2", Path: "data/weight", What: "removed", Breaking: true},
	}))
}

func TestARenameIsNamedWithItsRemedy(t *testing.T) {
	to := edited(t, orderCreated, func(d, _ *contracts.Schema) {
		d.Properties = with(without(d.Properties, "customer_id"), "buyer_id", d.Properties.Get("customer_id"))
	})
	refused := contracts.Refused(contracts.Diff(contracts.Current(events.Platform()), to, today))
	require.Equal(t, "order.created.v1 data/customer_id: removed, or renamed to buyer_id [field_removed]; keep it, marked as deprecated with use=buyer_id, beside the new one; or publish it as the next major version, with an upcaster and a migration note, and keep this one", refused[0].String())
}

func TestRecordedEventsAreReplayed(t *testing.T) {
	good := events.Examples("order.created")[0]
	bad := []byte(strings.Replace(string(good), `"USD"`, `"usd"`, 1))
	replay := contracts.ReplayEvents(events.Platform(), nil, [][]byte{good, bad, events.Examples("inventory.reserved")[0]})
	require.Equal(t, 3, replay.Events)
	require.Equal(t, 1, replay.Broken)
	require.Equal(t, []contracts.Broken{{
		Type: "order.created", Major: "1", Events: 2, Broken: 1, Consumers: map[string]int{"inventory": 1, "payments": 1, "notifications": 1}, Problems: map[string]int{"/data/currency invalid_value": 1},
	}}, replay.ByType)
}
