package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/audit"
)

func newAuditCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "The audit trail of stock adjustments"}
	cmd.AddCommand(newAuditVerifyCommand(g))
	return cmd
}

// auditReport is what audit verify found, for programs.
type auditReport struct {
	Records  int             `json:"records"`
	Compared int             `json:"compared"` // with recorded events
	Head     audit.Head      `json:"head"`
	Findings []audit.Finding `json:"findings"`
}

func newAuditVerifyCommand(g *globals) *cobra.Command {
	var heads []string
	cmd := &cobra.Command{
		Use: "verify [FILE|-]", Short: "Find changed, missing, inserted or reordered records of the audit trail (exit 1)", Args: takes("[FILE|-]"),
		Long: `Follows the hashes of the audit trail from its first record to its last, and compares each record with the recorded event:
on Kafka and SQL the topic keeps it, elsewhere the outbox of inventory's database. With a FILE, an export (GET
/api/v1/audit/export) is verified offline.

Whoever may write to the audit database and to that place can rewrite both. Keep the head that this command prints somewhere else, and give it to a
later run as --head: it proves that nothing up to it was changed or cut off.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			kept, err := parseHeads(heads)
			if err != nil {
				return err
			}
			var report auditReport
			if len(args) == 1 {
				report, err = verifyExport(cmd.InOrStdin(), args[0], kept)
			} else {
				report, err = verifyServer(cmd.Context(), g.client(), kept)
			}
			if err != nil {
				return err
			}
			return printAudit(cmd.OutOrStdout(), g.Output, report)
		},
	}
	cmd.Flags().StringArrayVar(&heads, "head", nil, "SEQUENCE:HASH of an earlier run; may be given several times")
	return cmd
}

func parseHeads(texts []string) (heads []audit.Head, err error) {
	for _, text := range texts {
		number, hash, _ := strings.Cut(text, ":")
		sequence, err := strconv.ParseInt(number, 10, 64)
		if err != nil || len(hash) != len(audit.Genesis) {
			return nil, &exitError{code: exitUsage, err: errorf("--head %q: write SEQUENCE:HASH as an earlier run printed it", text)}
		}
		heads = append(heads, audit.Head{Sequence: sequence, Hash: hash})
	}
	return heads, nil
}

// verifyExport verifies a file, whose last record is its head.
func verifyExport(stdin io.Reader, name string, kept []audit.Head) (auditReport, error) {
	raw, err := readSource(stdin, name)
	if err != nil {
		return auditReport{}, &exitError{code: exitUsage, err: err}
	}
	var v audit.Verification
	var head audit.Head
	for _, line := range splitLines(name, raw) {
		var r audit.Record
		if err := json.Unmarshal(line.raw, &r, json.RejectUnknownMembers(true)); err != nil {
			return auditReport{}, no(errorf("%s:%d: no record of an audit trail: %w", name, line.line, err))
		}
		v.Add(r)
		if r.Sequence > head.Sequence {
			head = audit.Head{Sequence: r.Sequence, Hash: r.Hash}
		}
	}
	return auditReport{Records: v.Len(), Head: head, Findings: v.Check(head, kept...)}, nil
}

// verifyServer verifies the trail of a running platform, which may grow meanwhile.
func verifyServer(ctx context.Context, c *client, kept []audit.Head) (report auditReport, err error) {
	adjusted, err := c.recordedAdjustments(ctx) // before the trail, which lags behind
	if err != nil {
		return report, err
	}
	var v audit.Verification
	for try := 0; ; try++ {
		if report.Head, err = c.exportAll(ctx, &v); err != nil {
			return report, err
		}
		report.Records, report.Compared, report.Findings = v.Len(), len(adjusted), v.Check(report.Head, kept...)
		late := false
		for _, e := range adjusted {
			if f, wrong := v.Compare(e.Envelope, e.Data); wrong {
				report.Findings = append(report.Findings, f)
				late = late || f.Kind == audit.Missing
			}
		}
		if !late || try == auditTries {
			return report, nil
		}
		select { // an event may be on its way
		case <-time.After(auditPause):
		case <-ctx.Done():
			return report, ctx.Err()
		}
	}
}

const (
	auditTries = 6
	auditPause = 500 * time.Millisecond
)

// exportAll reads the records that are new, up to the head.
func (c *client) exportAll(ctx context.Context, v *audit.Verification) (head audit.Head, err error) {
	for {
		before := v.Len()
		if err := c.export(ctx, v); err != nil {
			return head, err
		}
		if err := c.get(ctx, "/audit/head", &head); err != nil {
			return head, err
		}
		if v.Len() == before || v.Last() >= head.Sequence { // else more came after the export
			return head, nil
		}
	}
}

// export reads the records after those that were taken.
func (c *client) export(ctx context.Context, v *audit.Verification) error {
	request, err := c.request(ctx, http.MethodGet, "/audit/export?after="+strconv.FormatInt(v.Last(), 10), nil)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return read(response, nil)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r audit.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return no(fmt.Errorf("the answer is none of a viscount server: %w", err))
		}
		v.Add(r)
	}
	if err := lines.Err(); err != nil {
		return no(fmt.Errorf("the export broke off after record %d: %w", v.Last(), err))
	}
	return nil
}

// recordedAdjustments reads the adjustments that are still recorded: by the topic, or by inventory's outbox.
func (c *client) recordedAdjustments(ctx context.Context) (all []events.Event[events.InventoryAdjusted], err error) {
	catalogue, after := events.Platform(), ""
	for {
		var page struct {
			Items     []jsontext.Value `json:"items"`
			NextAfter string           `json:"next_after"`
		}
		query := url.Values{"type": {events.InventoryAdjusted{}.Contract().Type}, "after": {after}}
		if err := c.get(ctx, "/events/recorded?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		for _, raw := range page.Items {
			decoded, err := catalogue.Decode(bytes.TrimSpace(raw))
			if err != nil {
				return nil, no(fmt.Errorf("a recorded event breaks its contract: %w", err))
			}
			e, err := events.As[events.InventoryAdjusted](decoded, 0, "")
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
		if len(page.Items) == 0 {
			return all, nil
		}
		after = page.NextAfter
	}
}

func printAudit(out io.Writer, format string, report auditReport) error {
	if report.Findings == nil {
		report.Findings = []audit.Finding{}
	}
	var err error
	if format == "json" {
		err = printJSON(out, report)
	} else {
		for _, f := range report.Findings {
			fmt.Fprintf(out, "✗ %s: %s\n", f.Kind, f.Detail)
		}
		_, err = fmt.Fprintf(out, "%s, %d compared with recorded events\nhead %d:%s\n", count(report.Records, "record"), report.Compared, report.Head.Sequence, report.Head.Hash)
	}
	if err == nil && len(report.Findings) > 0 {
		err = no(errorf("the trail is not what was written: %s", count(len(report.Findings), "finding")))
	}
	return err
}
