// Command shipping runs the service. Its configuration begins with the kafka profile:
//
//	VISCOUNT_TRANSPORT_KAFKA_BROKERS=kafka-1:9093 VISCOUNT_STORE_POSTGRES_URL=postgres://… shipping
package main

import (
	"example.com/shipping"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/transports/kafka"
)

func main() { app.Main("shipping", kafka.Driver, shipping.Consumer()) }
