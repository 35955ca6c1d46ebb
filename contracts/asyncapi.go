package contracts

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
)

// AsyncAPIFile is where the document of the platform's events is committed.
const AsyncAPIFile = "contracts/asyncapi.json"

type object = map[string]any

// AsyncAPI describes the whole platform's events as an AsyncAPI 3.1 document: a server per profile, a channel per topic, an
// operation per service and event that it sends or hears.
func AsyncAPI(c *events.Catalogue) ([]File, error) {
	content, err := Write(asyncDocument(c))
	if err != nil {
		return nil, err
	}
	return []File{{AsyncAPIFile, content}}, nil
}

func asyncDocument(c *events.Catalogue) object {
	defs := &definitions{prefix: "#/components/schemas/"}
	channels, operations, messages := object{}, object{}, object{}
	for _, d := range c.All() {
		name := nameOf(d)
		messages[name] = message(d, defs)
		channels[name] = channel(d)
		k := d.Contract
		sender := strings.TrimSuffix(k.Publisher, "-service")
		operations[sender+".sends."+name] = operation("send", name, k.Publisher+" publishes it. "+k.When, k.Publisher, nil)
		for _, consumer := range k.Consumers {
			group := object{"kafka": object{"groupId": object{"type": "string", "const": "viscount-" + consumer}, "bindingVersion": "0.5.0"}}
			operations[consumer+".hears."+name] = operation("receive", name, consumer+" hears it.", consumer, group)
		}
	}
	return object{
		"asyncapi": "3.1.0",
		"id":       "urn:first-viscount:platform",
		"info": object{
			"title": "First Viscount", "version": "1.0.0",
			"description": "The events of the First Viscount platform. Written from the contracts; see events/.",
			"license":     object{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
			"contact":     object{"name": "First Viscount", "url": "https://github.com/first-viscount/viscount"},
			"tags":        []object{{"name": "events"}},
		},
		"defaultContentType": "application/json",
		"servers":            servers(),
		"channels":           channels,
		"operations":         operations,
		"components":         object{"messages": messages, "schemas": defs.all, "correlationIds": object{"order": object{"description": "An order keeps its correlation id for life.", "location": "$message.payload#/correlation_id"}}},
	}
}

// servers are the profiles' transports.
func servers() object {
	return object{
		"local":       object{"host": "localhost", "protocol": "gochannel", "description": "Profile local: Go channels within one process."},
		"kafka":       object{"host": "kafka:9093", "protocol": "kafka-secure", "description": "Profile kafka: Apache Kafka, transport.kafka.brokers. Partitioned by murmur2 of the key."},
		"sql":         object{"host": "postgres:5432", "protocol": "postgresql", "description": "Profile sql: tables of a PostgreSQL database, transport.sql."},
		"googlecloud": object{"host": "pubsub.googleapis.com", "protocol": "googlepubsub", "description": "Profile googlecloud: Google Pub/Sub, transport.googlecloud.project; ordering by the key."},
	}
}

func channel(d *events.Definition) object {
	k, name := d.Contract, nameOf(d)
	retention := int64(-1) // for ever
	if k.Retention != events.Unlimited {
		retention = k.Retention.Milliseconds()
	}
	return object{
		"address": k.Topic(), "title": name, "description": k.Purpose + " Ordered by " + strings.ReplaceAll(k.Key, "|", " or ") + ".",
		"messages":            object{name: object{"$ref": "#/components/messages/" + name}},
		"bindings":            object{"kafka": object{"topic": k.Topic(), "topicConfiguration": object{"cleanup.policy": []string{"delete"}, "retention.ms": retention}, "bindingVersion": "0.5.0"}},
		"x-dead-letter-topic": k.DeadLetterTopic(),
	}
}

func operation(action, name, summary, service string, bindings object) object {
	o := object{
		"action": action, "summary": summary, "channel": object{"$ref": "#/channels/" + name},
		"messages": []object{{"$ref": "#/channels/" + name + "/messages/" + name}}, "tags": []object{{"name": service}},
	}
	if bindings != nil {
		o["bindings"] = bindings
	}
	return o
}

func message(d *events.Definition, defs *definitions) object {
	k := d.Contract
	payload := event(d, defs)
	payload.Schema, payload.ID, payload.Examples = "", "", nil
	var examples []object
	for i, raw := range d.Examples() {
		examples = append(examples, object{"name": "example-" + strconv.Itoa(i+1), "summary": k.Purpose, "payload": jsontext.Value(raw)})
	}
	return object{
		"name": k.Type, "title": k.Type, "summary": k.Purpose, "description": k.When, "contentType": "application/json",
		"correlationId": object{"$ref": "#/components/correlationIds/order"},
		"headers":       metadata(), "payload": payload, "examples": examples,
		"bindings": object{"kafka": object{"key": object{"type": "string", "description": "The value of data." + strings.ReplaceAll(k.Key, "|", ", else data.")}, "bindingVersion": "0.5.0"}},
	}
}

// metadata is what stands beside the envelope; a foreign producer may send none of it.
func metadata() object {
	text := func(description string) object { return object{"type": "string", "description": description} }
	return object{"type": "object", "properties": object{
		"event_id": text("As in the envelope."), "event_type": text("As in the envelope."), "correlation_id": text("As in the envelope."),
		"causation_id": text("The event that caused this one."), "sequence": text("The source's number per key."),
		"traceparent": text("W3C Trace Context."), "tracestate": text("W3C Trace Context."),
	}}
}
