package contracts_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

// BenchmarkValidation compares what an event costs from its bytes to a checked Go value: ours, encoding/json with a schema
// validator at run time, and encoding/json with go-playground/validator's tags.
func BenchmarkValidation(b *testing.B) {
	catalogue := events.Platform()
	raw := events.Examples("order.created")[0]
	b.Run("catalogue", func(b *testing.B) {
		for b.Loop() {
			if _, err := catalogue.Decode(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json and schema validator", func(b *testing.B) {
		d, _ := catalogue.Lookup("order.created")
		schema := compile(b, contracts.Event(d))
		for b.Loop() {
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err == nil {
				err = schema.Validate(document)
			}
			var e taggedEvent
			if err == nil {
				err = json.Unmarshal(raw, &e)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json and go-playground validator", func(b *testing.B) {
		check := validator.New(validator.WithRequiredStructEnabled())
		for b.Loop() {
			var e taggedEvent
			err := json.Unmarshal(raw, &e)
			if err == nil {
				err = check.Struct(e)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// taggedEvent is order.created with the rules that go-playground/validator knows.
type taggedEvent struct {
	EventID       string `json:"event_id" validate:"required,uuid"`
	CorrelationID string `json:"correlation_id" validate:"required,max=128,printascii"`
	Timestamp     string `json:"timestamp" validate:"required,datetime=2006-01-02T15:04:05Z07:00"`
	SourceService string `json:"source_service" validate:"required,eq=order-management-service"`
	EventVersion  string `json:"event_version" validate:"required,eq=1.0"`
	EventType     string `json:"event_type" validate:"required,eq=order.created"`
	Data          struct {
		OrderID         string        `json:"order_id" validate:"required,max=128,printascii"`
		CustomerID      string        `json:"customer_id" validate:"required,max=128,printascii"`
		TotalAmount     string        `json:"total_amount" validate:"required,numeric"`
		Currency        string        `json:"currency" validate:"required,len=3,uppercase"`
		Status          string        `json:"status" validate:"required"`
		Items           []taggedItem  `json:"items" validate:"required,min=1,dive"`
		ShippingAddress taggedAddress `json:"shipping_address" validate:"required"`
		BillingAddress  taggedAddress `json:"billing_address" validate:"required"`
	} `json:"data"`
}

type taggedItem struct {
	ProductID  string `json:"product_id" validate:"required,max=128,printascii"`
	Quantity   int64  `json:"quantity" validate:"required,min=1,max=9007199254740992"`
	UnitPrice  string `json:"unit_price" validate:"required,numeric"`
	TotalPrice string `json:"total_price" validate:"required,numeric"`
}

type taggedAddress struct {
	Street  string  `json:"street" validate:"required"`
	City    string  `json:"city" validate:"required"`
	State   *string `json:"state" validate:"required"`
	Zip     string  `json:"zip" validate:"required"`
	Country string  `json:"country" validate:"required"`
}
