package sql_test

import (
	"flag"
	"os"
	"testing"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/store/postgrestest"
	"github.com/first-viscount/viscount/transports/sql"
	"github.com/first-viscount/viscount/transports/transporttest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// one of Watermill's tests holds 50 instances, each with a connection; two at once are more than PostgreSQL's default of 100
	if err := flag.Set("test.parallel", "1"); err != nil {
		panic(err)
	}
	code := m.Run()
	postgrestest.Stop()
	os.Exit(code)
}

func configured(t *testing.T) config.Transport {
	t.Helper()
	return config.Transport{Driver: "sql", ConsumerPrefix: "test", SQL: config.SQL{URL: postgrestest.Database(t)}}
}

func TestSuites(t *testing.T) {
	transporttest.Run(t, transporttest.Setup{Driver: sql.Driver, Config: configured(t)})
}
