// Package events holds the contracts of the platform's events: the envelope, one typed payload per event type,
// and what every reader and writer of an event must agree on (topic, ordering key, publisher, consumers,
// retention, vocabularies, personal data).
//
// A [Contract] describes an event type, a [Payload] is its typed content, a [Catalogue] is a set of contracts:
// [Platform] returns the platform's own, [Catalogue.With] extends it for another module. Bytes enter through
// [Catalogue.Decode], which refuses whatever breaks a contract and says where, and leave through [Encode].
//
// The package imports no other folder of the project and knows no transport and no database.
package events
