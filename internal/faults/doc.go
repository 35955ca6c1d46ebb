// Package faults breaks running servers in every way that the platform promises to survive, and checks from outside that
// nothing accepted was lost and nothing happened twice. `make test-faults` runs small counts, FULL=1 the figures of
// docs/reports/faults.md. It holds tests only.
package faults
