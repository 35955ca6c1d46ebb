package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/first-viscount/viscount/store"
)

const (
	jobBatch = 128 // jobs leased and run at once
	jobIdle  = time.Minute
	jobTaken = 50 * time.Millisecond // where all that is due is in somebody else's hands
)

// runJobs runs the service's jobs as they come due, until ctx ends. Those in hand then may finish, until inHand ends.
func (s *Service) runJobs(ctx, inHand context.Context) {
	if len(s.jobs) == 0 {
		return
	}
	slots := make(chan struct{}, jobBatch)
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		pause, err := s.startDue(ctx, inHand, slots, &running)
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "taking jobs; trying again", "error", err)
			pause = time.Second
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-s.store.JobsWake():
		case <-s.resumed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// startDue starts what is due, as far as slots are free, and tells how long nothing more will be.
func (s *Service) startDue(ctx, inHand context.Context, slots chan struct{}, running *sync.WaitGroup) (time.Duration, error) {
	for {
		if s.Paused() { // a pause keeps the consumer away from the world outside, too
			return jobIdle, nil
		}
		at, found, err := s.store.NextJob(ctx)
		if err != nil {
			return 0, err
		}
		if !found {
			return jobIdle, nil
		}
		if pause := at.Sub(s.store.Now()); pause > 0 {
			return min(pause, jobIdle), nil
		}
		free := cap(slots) - len(slots)
		if free == 0 { // wait for the first slot
			select {
			case slots <- struct{}{}:
				<-slots
				continue
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		jobs, err := s.lease(ctx, free)
		if err != nil {
			return 0, err
		}
		if len(jobs) == 0 { // a transaction of another instance, or of a person, holds their rows
			return jobTaken, nil
		}
		for _, job := range jobs {
			slots <- struct{}{}
			running.Go(func() {
				defer func() { <-slots }()
				s.runJob(inHand, job)
			})
		}
	}
}

// RunDueJobs runs the jobs that are due, one after the other, and tells how many ran: for tests that move the clock by hand.
func (s *Service) RunDueJobs(ctx context.Context) (int, error) {
	jobs, err := s.lease(ctx, jobBatch)
	for _, job := range jobs {
		s.runJob(ctx, job)
	}
	return len(jobs), err
}

// lease takes jobs that are due, none if the consumer is paused.
func (s *Service) lease(ctx context.Context, limit int) ([]store.JobRow, error) {
	s.pauseMu.RLock()
	defer s.pauseMu.RUnlock()
	if s.Paused() {
		return nil, nil
	}
	return s.store.Lease(ctx, limit, s.jobLease())
}

// jobLease outlives both halves of an attempt.
func (s *Service) jobLease() time.Duration { return 3 * s.settings.AttemptTimeout }

// runJob makes one attempt and stores how it ended.
func (s *Service) runJob(ctx context.Context, row store.JobRow) {
	ctx = store.WithOrigin(store.WithTrace(ctx, row.TraceParent, row.TraceState), row.Origin)
	ctx, span := s.tracer.Start(ctx, "job "+row.Kind)
	defer span.End()
	err := s.attemptCarefully(ctx, &row)
	if err == nil {
		return
	}
	if errors.Is(err, store.ErrLeaseLost) {
		s.log.DebugContext(ctx, "a job was cancelled or taken over; its result is dropped", "job", row.Kind, "key", row.Key)
		return
	}
	span.SetStatus(codes.Error, err.Error())
	for pause := storingFirst; ; pause = min(2*pause, storingMost) { // or it would come again when its lease ends, not when the database is back
		stored := s.store.Do(context.WithoutCancel(ctx), func(ctx context.Context, tx *store.Tx) error { return s.failJob(ctx, tx, row, err) })
		if stored == nil || errors.Is(stored, store.ErrLeaseLost) {
			return
		}
		s.log.ErrorContext(ctx, "a failed job could not be stored; trying again", "job", row.Kind, "error", stored)
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.stopping: // the drain is for work, not for waiting
			timer.Stop()
			return
		}
	}
}

// attemptCarefully makes one attempt: alone if processes end again and again, and one of them had the job in hand (design.md,
// guarantee 8). After a single crash all go on side by side, since a provider may be slow.
func (s *Service) attemptCarefully(ctx context.Context, row *store.JobRow) error {
	if !row.Left || s.store.Crashes() < 2 {
		return s.attemptJob(ctx, *row, "")
	}
	subject := jobSubject(*row)
	err := s.runAlone(ctx, subject, func() error {
		if err := s.store.Renew(ctx, *row, s.jobLease()); err != nil { // others were alone before
			return err
		}
		return s.attemptJob(ctx, *row, subject)
	})
	var crashed *crashedError
	if errors.As(err, &crashed) {
		row.Attempts += crashed.times - 1 // the last one is counted as any other
	}
	return err
}

// jobSubject is how a job is called among the suspects.
func jobSubject(row store.JobRow) string { return "job/" + row.Kind + "/" + row.Name }

func (s *Service) attemptJob(ctx context.Context, row store.JobRow, suspect string) (err error) {
	job, known := s.jobs[row.Kind]
	if !known {
		return unknownJob(row.Kind, s.Name())
	}
	ctx, cancel := context.WithTimeout(ctx, s.settings.AttemptTimeout)
	defer cancel()
	var result any
	if job.outside != nil {
		if result, err = s.askOutside(ctx, job, row.Payload); err != nil {
			return err
		}
	}
	return s.store.DoKey(ctx, row.Key, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.FinishJob(ctx, row); err != nil {
			return err
		}
		if suspect != "" {
			if err := tx.Acquit(ctx, suspect); err != nil {
				return err
			}
		}
		return job.inside(ctx, tx, row.Payload, result)
	})
}

func unknownJob(kind, consumer string) error {
	return store.Permanent(fmt.Errorf("no job named %q in consumer %s: it was enqueued by another version", kind, consumer))
}

// askOutside asks until the attempt's deadline, and a little longer. Whoever ignores that is given up: its answer is dropped.
func (s *Service) askOutside(ctx context.Context, job Job, payload []byte) (any, error) {
	type answer struct {
		result any
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				answered <- answer{err: &store.PanicError{Value: v, Stack: debug.Stack()}}
			}
		}()
		result, err := job.outside(ctx, payload)
		answered <- answer{result, err}
	}()
	select {
	case a := <-answered:
		return a.result, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answered:
		return a.result, a.err
	case <-time.After(outsideGrace):
		s.store.NoteAbandoned()
		return nil, fmt.Errorf("the answer from outside was given up at its deadline: %w", ctx.Err())
	}
}

// outsideGrace is how long after its deadline an outside call may still return.
const outsideGrace = time.Second

// failJob plans the next attempt, or buries the job when its retries are spent. What is no fault of the job is not counted.
func (s *Service) failJob(ctx context.Context, tx *store.Tx, row store.JobRow, cause error) error {
	v := judge(cause)
	if comesAgain(cause) {
		return tx.RetryJob(ctx, row, tx.Now().Add(time.Second), v.code, v.detail)
	}
	row.Attempts++
	delay, again := s.nextJobAttempt(row.Attempts, cause)
	if v.final || !again {
		if v.code == CodeCrashLoop {
			if err := tx.Acquit(ctx, jobSubject(row)); err != nil {
				return err
			}
		}
		s.log.ErrorContext(ctx, "job failed for good", "job", row.Kind, "key", row.Key, "code", v.code, "detail", v.detail, "attempts", row.Attempts)
		return tx.BuryJob(ctx, row, v.code, v.detail, fingerprint(s.Name(), row.Kind, v.code, v.detail))
	}
	s.log.WarnContext(ctx, "job failed; trying again", "job", row.Kind, "key", row.Key, "code", v.code, "detail", v.detail, "attempts", row.Attempts, "in", delay)
	return tx.RetryJob(ctx, row, tx.Now().Add(delay), v.code, v.detail)
}

func (s *Service) nextJobAttempt(attempts int, cause error) (time.Duration, bool) {
	var later *store.RetryError
	if errors.As(cause, &later) {
		return later.After, attempts < maxRetryAfter
	}
	if attempts <= s.settings.ImmediateRetries {
		return soon(attempts - 1), true
	}
	if n := attempts - s.settings.ImmediateRetries - 1; n < len(s.settings.DelayedRetries) {
		return spread(s.settings.DelayedRetries[n]), true
	}
	return 0, false
}
