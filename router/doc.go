// Package router binds typed handlers to events and runs every message through one chain on Watermill's message.Router. It
// also brings parked events back into that chain and runs a service's jobs.
//
// It imports events, store and Watermill, and internal/lazycontext; it knows no transport.
package router

// Metadata of a message, beside the envelope in its body (domain.md, "Beside the envelope"). A foreign producer may send
// none of it: everything that matters is derived from the body.
const (
	MetaEventID       = "event_id"
	MetaEventType     = "event_type"
	MetaCorrelationID = "correlation_id"
	MetaCausationID   = "causation_id"
	MetaSequence      = "sequence"
	MetaTraceParent   = "traceparent"
	MetaTraceState    = "tracestate"

	MetaPartition = "viscount_partition" // where a consumed message stood: the transport's word, see driver.Options
	MetaOffset    = "viscount_offset"
)
