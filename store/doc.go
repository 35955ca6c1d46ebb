// Package store is one service's database: the transaction that carries the domain's changes together with the inbox, the
// parked events, the outbox and the jobs, and the relay that hands committed events to a transport.
//
// A commit is the acceptance of everything in it (design.md, "Guarantees"). Several independent transactions share one
// commit: each is a savepoint, and all are acknowledged after the flush. SQL is portable: $1 placeholders, times as
// microseconds since 1970 (UTC), ids as 16 bytes.
//
// store imports events and internal/postgres; it knows neither Watermill nor a broker.
package store
