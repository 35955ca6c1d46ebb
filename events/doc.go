// Package events holds the platform's contracts: the envelope, one file per event, and the catalogue that decodes, validates
// and encodes them. It is the contract document in Go; it imports no other folder.
package events
