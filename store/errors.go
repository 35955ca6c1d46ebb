package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrClosed is returned for work that reaches a closed store, or a transaction that has already ended (a handler that was
// abandoned after its deadline and woke up later).
var ErrClosed = errors.New("store: the transaction has ended or the store is closed")

// ErrConflict says that an event id is already taken by an event with other content (id_conflict).
var ErrConflict = errors.New("store: this event_id is already taken by an event with other content")

// ErrLeaseLost says that a job's lease ran out and another runner took the job: its result is dropped.
var ErrLeaseLost = errors.New("store: the job's lease was lost")

// errPutOff ends a try of a transaction that found a lock taken.
var errPutOff = errors.New("store: another transaction holds the lock; this one is run again")

// Failure is an error of the database itself (disk, lock, connection), never of the work: it does not count as an attempt.
type Failure struct {
	Operation string // begin, commit, read, migrate, …
	Err       error
}

func (f *Failure) Error() string { return "store: " + f.Operation + ": " + f.Err.Error() }

// Unwrap gives the driver's error.
func (f *Failure) Unwrap() error { return f.Err }

// IgnoreError ends an event without effect; see Ignore.
type IgnoreError struct{ Reason string }

func (e *IgnoreError) Error() string { return "ignored: " + e.Reason }

// Ignore says that the event has nothing to change here (an illegal transition, a stale fact). The inbox records it with the
// reason; it is counted, and it is no failure. Whatever the handler wrote is rolled back.
func Ignore(reason string) error { return &IgnoreError{Reason: reason} }

// PermanentError is a failure that no retry can mend; see Permanent.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *PermanentError) Unwrap() error { return e.Err }

// Permanent says that retrying cannot help: the event becomes a dead letter at once.
func Permanent(err error) error { return &PermanentError{Err: err} }

// RetryError asks for the next attempt after a delay; see RetryAfter.
type RetryError struct {
	After time.Duration
	Err   error
}

func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *RetryError) Unwrap() error { return e.Err }

// RetryAfter fails this attempt and asks for the next one after d, without immediate retries before it.
func RetryAfter(d time.Duration, err error) error { return &RetryError{After: d, Err: err} }

// Refused is a command that the rules turn down: nothing happened, and repeating it as it is cannot help.
type Refused struct {
	Code   string
	Path   string // JSON Pointer into the request, "" if it is about the whole
	Detail string
}

func (r *Refused) Error() string { return r.Code + ": " + r.Detail }

// Codes of refused commands that several services use.
const (
	NotFound          = "not_found"
	AlreadyExists     = "already_exists"
	IllegalTransition = "illegal_transition"
	InsufficientStock = "insufficient_stock"
	UnknownProduct    = "unknown_product"
	InactiveProduct   = "inactive_product"
	InvalidValue      = "invalid_value"
	Outdated          = "precondition_failed"
)

// Refuse turns a command down.
func Refuse(code, path, format string, args ...any) error {
	return &Refused{Code: code, Path: path, Detail: fmt.Sprintf(format, args...)}
}

// ErrNoTurn says that a transaction's time was over before it began: others, or one that was stuck, came first.
var ErrNoTurn = errors.New("store: the database was busy with others until the deadline")

// noTurn is ErrNoTurn with how ctx ended.
func noTurn(ctx context.Context) error { return fmt.Errorf("%w: %w", ErrNoTurn, ctx.Err()) }

// Uncounted tells whether err is no fault of the work, so that it must not be counted as a failed attempt: shutdown,
// cancellation, a failing database (design.md, guarantee 8). A deadline is the work's own fault and counts, if it has begun.
func Uncounted(err error) bool {
	var failure *Failure
	return errors.As(err, &failure) || errors.Is(err, ErrNoTurn) || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) || errors.Is(err, ErrLeaseLost)
}

// PanicError is a panic of the work, with the stack of where it happened.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
