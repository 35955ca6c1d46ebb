package app_test

import (
	"context"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// parcelSent is an event of another repository.
type parcelSent struct {
	ParcelID string `json:"parcel_id"`
}

func (parcelSent) Contract() events.Contract {
	return events.Contract{Type: "parcel.sent", Version: "1.0", Key: "parcel_id", Publisher: "shipping-service", Consumers: []string{"shipping"}, Retention: events.Day}
}

func (p parcelSent) Validate() error {
	if p.ParcelID == "" {
		return &events.Invalid{Problems: []events.Problem{{Path: "/parcel_id", Code: events.MissingField, Detail: "is required"}}}
	}
	return nil
}

func TestAnotherRepositorysServiceAndContract(t *testing.T) {
	heard := make(chan string, 1)
	a := start(t, t.TempDir(), func(o *app.Options) {
		o.Platform = false
		o.Consumers = []router.Consumer{{
			Name: "shipping", Contracts: []events.Definition{events.Define[parcelSent]()},
			Routes: []router.Route{router.On(func(_ context.Context, tx *store.Tx, e events.Event[parcelSent]) error {
				tx.OnCommit(func() { heard <- e.Data.ParcelID })
				return nil
			})},
		}}
	})
	defer stop(t, a)
	emit := func(p parcelSent) error {
		return a.Services()[0].Store().Do(t.Context(), func(_ context.Context, tx *store.Tx) error { return tx.Emit(p) })
	}
	require.ErrorContains(t, emit(parcelSent{}), "/data/parcel_id")
	require.NoError(t, emit(parcelSent{ParcelID: "parcel_1"}))
	select {
	case id := <-heard:
		require.Equal(t, "parcel_1", id)
	case <-time.After(10 * time.Second):
		t.Fatal("the event was not handled")
	}
	status, contract := call(t, a, http.MethodGet, "/contracts/parcel.sent", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "shipping.parcel.sent.v1", contract["topic"])
}

func TestTwoServicesOfOneNameAreRefused(t *testing.T) {
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0"}})
	require.NoError(t, err)
	_, err = app.Start(t.Context(), app.Options{
		Config: loaded.Config, Driver: gochannel.Driver, Platform: true, Logger: slog.New(slog.DiscardHandler),
		Consumers: []router.Consumer{{Name: "orders"}},
	})
	require.EqualError(t, err, "two services of this process are named orders: give your router.Consumer another name")
}

// TestTheExampleStillBuildsOnThisModule: a dependency that is new here has to be known to the module in examples/shipping too,
// whose own tests run as make test-examples.
func TestTheExampleStillBuildsOnThisModule(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-mod=readonly", "-deps", "./...")
	list.Dir = filepath.Join("..", "examples", "shipping")
	out, err := list.CombinedOutput()
	require.NoError(t, err, "run: make tidy\n%s", out)
}
