//go:build !linux

package postgres

import "syscall"

// limitSilence limits nothing: the option is Linux's.
func limitSilence(string, string, syscall.RawConn) error { return nil }
