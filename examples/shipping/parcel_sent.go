package shipping

import (
	"time"

	"github.com/first-viscount/viscount/events"
)

// ParcelSent is the data of parcel.sent: a contract of this team, beside the platform's.
type ParcelSent struct {
	ParcelID string    `json:"parcel_id" rule:"id" doc:"Id of the parcel."`
	OrderID  string    `json:"order_id" rule:"id" doc:"Id of the order whose goods are in it."`
	Carrier  string    `json:"carrier" rule:"text" doc:"Who carries it."`
	SentAt   time.Time `json:"sent_at" doc:"When the carrier took it."`
}

// Contract implements events.Payload. The topic follows from it: shipping.parcel.sent.v1.
func (ParcelSent) Contract() events.Contract {
	return events.Contract{
		Type: "parcel.sent", Version: "1.0", Key: "order_id",
		Publisher: "shipping-service", Retention: 30 * events.Day,
		Purpose: "Published when a parcel is on its way.", When: "After the carrier took the goods of an order.",
	}
}

// Validate implements events.Payload: the rules stand in the fields' tags.
func (p ParcelSent) Validate() error { return events.Check(p) }
