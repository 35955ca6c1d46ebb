// Package contracts writes the contracts of package events in the forms that other teams' tools read, and holds changes of
// them to the rules of evolution. Everything here derives from events; it imports no other folder.
package contracts
