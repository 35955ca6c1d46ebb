package router

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"unicode"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Codes of dead letters that are not the contract's (those are events.Code…).
const (
	CodeTopicMismatch      = "topic_mismatch"
	CodeIDConflict         = "id_conflict"
	CodeHandlerFailed      = "handler_failed"
	CodeTimeout            = "timeout"
	CodeMissingPredecessor = "missing_predecessor"
	CodeBeyondInbox        = "beyond_inbox"
	CodeCrashLoop          = "crash_loop"
)

// LetterCodes are all that a dead letter can have, those of the handling first.
func LetterCodes() []string {
	codes := []string{CodeHandlerFailed, CodeTimeout, CodeCrashLoop, CodeMissingPredecessor, CodeBeyondInbox, CodeIDConflict, CodeTopicMismatch}
	for _, code := range events.Codes() {
		codes = append(codes, string(code))
	}
	return codes
}

// WaitingCodes are all that an event can have that waits or is tried again: why it waits, or the failure. A requeued letter
// keeps its code until it has been handled.
func WaitingCodes() []string {
	return append([]string{store.WaitHeld, store.WaitBehind, store.WaitFollows, store.WaitPaused, store.WaitCircuit}, LetterCodes()...)
}

// refusal is a message turned away before its handler: it holds nothing.
type refusal struct{ code, detail string }

func (r *refusal) Error() string { return r.code + ": " + r.detail }

// verdict is what an error of the chain means for its event.
type verdict struct {
	code    string
	detail  string // the root cause, at most 1 KiB, one line, no stack, no payload
	refused bool   // before the handler
	final   bool   // no retry can help
}

const detailLimit = 1024

func judge(err error) verdict {
	var refused *refusal
	var permanent *store.PermanentError
	var crashed *crashedError
	switch {
	case errors.As(err, &refused):
		return verdict{code: refused.code, detail: oneLine(refused.detail), refused: true, final: true}
	case errors.Is(err, store.ErrConflict):
		return verdict{code: CodeIDConflict, detail: oneLine(err.Error()), refused: true, final: true}
	case errors.As(err, &crashed):
		return verdict{code: CodeCrashLoop, detail: crashed.Error(), final: true}
	case errors.As(err, &permanent):
		return verdict{code: CodeHandlerFailed, detail: oneLine(err.Error()), final: true}
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{code: CodeTimeout, detail: oneLine(err.Error())}
	}
	return verdict{code: CodeHandlerFailed, detail: oneLine(err.Error())}
}

// counts tells whether err is a failed attempt of the event itself: not shutdown, not a failing database, not a refusal.
func counts(err error) bool {
	return !comesAgain(err) && !judge(err).refused
}

// comesAgain tells whether err says nothing about the event: it is refused, and the transport brings it again.
func comesAgain(err error) bool {
	return store.Uncounted(err) || errors.Is(err, errDraining) || errors.Is(err, errFull) || errors.Is(err, errOpen)
}

func retryable(err error) bool {
	var later *store.RetryError
	return !judge(err).final && !errors.As(err, &later)
}

func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if len(text) > detailLimit { // the root cause stands at the end
		const head = detailLimit / 4
		text = text[:head] + " … " + text[len(text)-(detailLimit-head-len(" … ")):]
	}
	return strings.ToValidUTF8(text, "")
}

var variable = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[A-Za-z]+_[0-9a-zA-Z_]*[0-9][0-9a-zA-Z_]*|[0-9]+`)

// fingerprint groups failures of one cause: consumer, type, code and the detail without its ids and numbers.
func fingerprint(consumer, eventType, code, detail string) string {
	sum := sha256.Sum256([]byte(consumer + "\n" + eventType + "\n" + causeOf(code, detail)))
	return hex.EncodeToString(sum[:6])
}

// causeOf is what failures of one cause share, whatever events they struck.
func causeOf(code, detail string) string {
	return code + ": " + variable.ReplaceAllString(detail, "#")
}
