package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/transports/driver"
)

// payment is payment.processed, from a publisher that is new in each round, so that its topic is.
type payment events.PaymentProcessed

var (
	publisherName atomic.Value // of the round at hand
	publisherLast int
)

// newTopic makes the contract's topic a fresh one.
func newTopic() string {
	publisherLast++
	publisherName.Store(fmt.Sprintf("bench-%d-%d-service", runID, publisherLast))
	return payment{}.Contract().Topic()
}

// useTopic returns to an earlier one.
func useTopic(topic string) {
	publisher, _, _ := strings.Cut(topic, ".")
	publisherName.Store(publisher + "-service")
}

var runID = time.Now().UnixMilli()

// Contract implements events.Payload.
func (payment) Contract() events.Contract {
	c := events.PaymentProcessed{}.Contract()
	c.Publisher, _ = publisherName.Load().(string)
	return c
}

// Validate implements events.Payload.
func (p payment) Validate() error { return events.PaymentProcessed(p).Validate() }

func catalogue() (*events.Catalogue, error) { return events.NewCatalogue(events.Define[payment]()) }

func paymentOf(key string) payment {
	return payment{
		PaymentID: "pay_0198c0de7a5b7c3d8e9fa0b1c2d3e4f5", OrderID: key, Amount: 12_999, Currency: "USD", Method: "credit_card",
		ProcessedAt: time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC),
	}
}

// messages makes n messages of keys in a random order, numbered per key as the outbox numbers them.
func messages(n int) ([]*message.Message, error) {
	random := rand.New(rand.NewPCG(1, 2))
	sequences := make([]int64, keys)
	contract := payment{}.Contract()
	all := make([]*message.Message, n)
	for i := range all {
		key := random.IntN(keys)
		sequences[key]++
		id := uuid.New()
		p := paymentOf(keyName(key))
		raw, err := events.Encode(events.Envelope{
			EventID: id, CorrelationID: p.OrderID, Timestamp: time.Now(), SourceService: contract.Publisher, EventVersion: contract.Version, EventType: contract.Type,
		}, p)
		if err != nil {
			return nil, err
		}
		msg := message.NewMessage(id.String(), raw)
		msg.Metadata = message.Metadata{
			router.MetaEventID: id.String(), router.MetaEventType: contract.Type, router.MetaCorrelationID: p.OrderID,
			router.MetaSequence: strconv.FormatInt(sequences[key], 10), driver.KeyMetadata: p.OrderID,
		}
		all[i] = msg
	}
	return all, nil
}
