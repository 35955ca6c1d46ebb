package googlecloud_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/pstest"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/googlecloud"
)

// refusal refuses the requests that begin a run, while it is on.
type refusal struct{ on atomic.Bool }

func (r *refusal) React(request any) (handled bool, ret any, err error) {
	publish, ok := request.(*pubsubpb.PublishRequest)
	begins := func(m *pubsubpb.PubsubMessage) bool { return m.GetAttributes()["number"] == "0" }
	if ok && r.on.Load() && slices.ContainsFunc(publish.GetMessages(), begins) {
		return true, nil, status.Error(codes.FailedPrecondition, "not now")
	}
	return false, nil, nil
}

// What follows messages that were refused, in requests of their own, is not published before them, whoever else publishes
// messages of the key.
func TestNothingOvertakesWhatWasRefused(t *testing.T) {
	const runs, each = 8, 200
	refuse := &refusal{}
	refuse.on.Store(true)
	server := pstest.NewServer(pstest.ServerReactorOption{FuncName: "Publish", Reactor: refuse})
	defer func() { require.NoError(t, server.Close()) }()
	c := config.Transport{Driver: "googlecloud", GoogleCloud: config.GoogleCloud{Project: "test", Endpoint: server.Addr}}
	tr, err := googlecloud.Driver.Open(t.Context(), driver.Options{Config: c, Topics: []driver.Topic{{Name: "a.v1"}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	publish := func() (refused int64) {
		var count atomic.Int64
		var publishing sync.WaitGroup
		for run := range runs {
			publishing.Go(func() {
				messages := make([]*message.Message, each)
				for n := range messages {
					messages[n] = message.NewMessage(fmt.Sprint(run, "/", n), make([]byte, 20<<10))
					messages[n].Metadata = message.Metadata{driver.KeyMetadata: "k", "run": fmt.Sprint(run), "number": fmt.Sprint(n)}
				}
				if tr.Publisher().Publish("a.v1", messages...) != nil {
					count.Add(1)
				}
			})
		}
		publishing.Wait()
		return count.Load()
	}
	require.EqualValues(t, runs, publish())
	require.Zero(t, len(server.Messages()))
	refuse.on.Store(false)
	require.Zero(t, publish())
	next := map[string]int{}
	for _, m := range server.Messages() {
		run := m.Attributes["run"]
		require.Equal(t, fmt.Sprint(next[run]), m.Attributes["number"])
		next[run]++
	}
	require.Len(t, next, runs)
}
