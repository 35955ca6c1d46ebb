package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/first-viscount/viscount/app"
)

// adjusted makes a trail of n adjustments on a running platform.
func adjusted(t *testing.T, a *app.App, n int) {
	t.Helper()
	post := func(path, body string) int {
		response, err := http.Post(a.URL()+"/api/v1"+path, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, 201, post("/products", `{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"3.50"}`))
	adjust := func(i int) bool {
		return post("/inventory/adjust", fmt.Sprintf(`{"product_id":"prod_1","change":%d,"adjustment_type":"manual","reason":"count %d"}`, 100+i, i)) == 200
	}
	require.Eventually(t, func() bool { return adjust(0) }, 20*time.Second, 5*time.Millisecond)
	for i := 1; i < n; i++ {
		require.True(t, adjust(i))
	}
	require.Eventually(t, func() bool {
		out, _, _ := run(t, "", "audit", "verify", "--url", a.URL())
		return strings.HasPrefix(out, fmt.Sprintf("%d records, %d compared", n, n))
	}, 20*time.Second, 20*time.Millisecond)
}

// tamper changes the trail in its database, under the running service.
func tamper(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "audit.db")+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	for _, statement := range statements {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
}

func TestAuditVerifyFindsWhatWasChangedInTheDatabase(t *testing.T) {
	dir := t.TempDir()
	a := serving(t, dir)
	adjusted(t, a, 8)
	out, _, code := run(t, "", "audit", "verify", "--url", a.URL())
	require.Zero(t, code)
	head := strings.TrimSpace(out[strings.LastIndex(out, "head ")+len("head "):])
	export := filepath.Join(dir, "audit.ndjson")
	save(t, a.URL()+"/api/v1/audit/export", export)
	_, _, code = run(t, "", "audit", "verify", "--url", a.URL(), "--head", head)
	require.Zero(t, code)

	findings := func(args ...string) string {
		out, _, code := run(t, "", append([]string{"audit", "verify", "-o", "json"}, args...)...)
		var report auditReport
		require.NoError(t, json.Unmarshal([]byte(out), &report))
		require.Equal(t, len(report.Findings) > 0, code == exitNo)
		var list []string
		for _, f := range report.Findings {
			list = append(list, f.Detail)
		}
		return strings.Join(list, "\n")
	}
	require.Empty(t, findings(export))
	tamper(t, dir, "UPDATE trail SET new_quantity = 1 WHERE sequence = 3")
	found := findings("--url", a.URL())
	require.Contains(t, found, "record 3 (event ")
	require.Contains(t, found, "was changed: its content does not give its hash")
	require.Contains(t, found, "says something else than the event, which its publisher has recorded")

	tamper(t, dir, "DELETE FROM trail WHERE sequence = 3")
	found = findings("--url", a.URL())
	require.Contains(t, found, "record 3 is missing")
	require.Contains(t, found, "stands in no record")

	tamper(t, dir, "DELETE FROM trail WHERE sequence > 6", "UPDATE head SET sequence = 6, hash = (SELECT hash FROM trail WHERE sequence = 6)")
	require.Contains(t, findings("--url", a.URL(), "--head", head), "the trail ends at record 6, but you kept the head of record 8: it was cut off")
	require.Empty(t, findings(export, "--head", head), "the export was made before")

	_, problem, code := run(t, "", "audit", "verify", "--url", a.URL(), "--head", "8")
	require.Equal(t, exitUsage, code)
	require.Contains(t, problem, "write SEQUENCE:HASH")
	_, problem, code = run(t, "{}\n{\"a\":1}\n", "audit", "verify", "-")
	require.Equal(t, exitNo, code)
	require.Contains(t, problem, "-:2: no record of an audit trail")
}

func save(t *testing.T, url, path string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, "application/x-ndjson", response.Header.Get("Content-Type"))
	file, err := os.Create(path)
	require.NoError(t, err)
	_, err = file.ReadFrom(response.Body)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}
