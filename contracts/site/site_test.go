package site_test

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/contracts/site"
	"github.com/first-viscount/viscount/events"
)

const history = "# Changes\n\n## 2026-12-01\n\n- `order.created`: `channel` is new and optional\n- Prose is no event\n"

func render(t *testing.T) map[string]string {
	t.Helper()
	files, err := site.Render(events.Platform(), history)
	require.NoError(t, err)
	pages := map[string]string{}
	for _, f := range files {
		pages[f.Path] = string(f.Content)
	}
	return pages
}

func TestEveryEventHasItsPageWithEveryField(t *testing.T) {
	pages := render(t)
	for _, d := range events.Platform().All() {
		page := pages["events/"+d.Contract.Type+".html"]
		require.NotEmpty(t, page, d.Contract.Type)
		require.Contains(t, pages["index.html"], `href="events/`+d.Contract.Type+`.html"`)
		for _, f := range d.Fields() {
			require.Contains(t, page, `<tr id="`+strings.ReplaceAll(f.Path, ".*.", "[].")+`">`, d.Contract.Type)
		}
		for _, consumer := range d.Contract.Consumers {
			require.Contains(t, page, consumer)
		}
		require.Contains(t, page, d.Contract.Topic())
		require.Contains(t, page, `<pre tabindex="0">{`)
	}
	require.Contains(t, pages["events/order.validated.html"], `<a href="order.created.html">order.created</a> of the same key`)
	require.Contains(t, pages["events/order.created.html"], `<a href="order.validated.html">`)
	require.Contains(t, pages["events/inventory.reserved.html"], "In the old dialect")
	require.Contains(t, pages["events/order.created.html"], "<li><code>channel</code> is new and optional</li>")
	require.NotContains(t, pages["events/order.cancelled.html"], "channel")
	require.Contains(t, pages["events/order.created.html"], "Where the goods go.")
	require.Contains(t, pages["envelope.html"], "Kept through all that follows from one cause")
	require.Contains(t, pages["changes.html"], "Prose is no event")
}

// TestTheSiteLoadsNothingFromElsewhere follows every link and source of every page: each leads to a page of the site.
func TestTheSiteLoadsNothingFromElsewhere(t *testing.T) {
	pages := render(t)
	links := 0
	for name, content := range pages {
		if !strings.HasSuffix(name, ".html") {
			require.False(t, strings.HasSuffix(name, ".css") && regexp.MustCompile(`url\(|@import|https?:`).MatchString(content), name)
			continue
		}
		require.NotRegexp(t, regexp.MustCompile(`\s(style|on\w+)="`), content, "%s: the site's policy refuses such attributes", name)
		for _, found := range regexp.MustCompile(`\s(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(content, -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			page, known := pages[path.Join(path.Dir(name), target)]
			require.True(t, known, "%s links to %s", name, found[1])
			anchor, err := url.PathUnescape(anchor)
			require.NoError(t, err)
			require.True(t, anchor == "" || strings.Contains(page, `id="`+anchor+`"`), "%s links to %s", name, found[1])
			links++
		}
	}
	require.Greater(t, links, 300)
}

// TestTheMapShowsWhoHearsWhat counts the stops of every row.
func TestTheMapShowsWhoHearsWhat(t *testing.T) {
	index := render(t)["index.html"]
	for _, d := range events.Platform().All() {
		row := regexp.MustCompile(`(?s)<a class="row" href="events/` + regexp.QuoteMeta(d.Contract.Type) + `\.html" data-consumers="([^"]*)">.*?</a>`).FindStringSubmatch(index)
		require.NotNil(t, row, d.Contract.Type)
		require.ElementsMatch(t, d.Contract.Consumers, strings.Fields(row[1]))
		require.Equal(t, len(d.Contract.Consumers), strings.Count(row[0], "<circle"), d.Contract.Type)
	}
}
