package audit

import (
	"fmt"
	"slices"
)

// Finding is something wrong with a trail.
type Finding struct {
	Kind     string `json:"kind"`
	Sequence int64  `json:"sequence"` // of the record, or of the first of several
	EventID  string `json:"event_id,omitzero"`
	Detail   string `json:"detail"`
}

// Kinds of findings.
const (
	Changed   = "changed"
	Missing   = "missing"
	Inserted  = "inserted"
	Reordered = "reordered"
	Rewritten = "rewritten" // a record and its hash: the next record, or a head that was kept, tells
)

// link is what the verification keeps of a record.
type link struct {
	sequence       int64
	event          string
	previous, hash string
	record         *Record // only of one whose hash is not its own
}

// Verification takes a trail as it stands, record by record in the order in which it is presented, and finds what is wrong.
type Verification struct{ links []link }

// Add takes the next record.
func (v *Verification) Add(r Record) error {
	l := link{sequence: r.Sequence, event: r.EventID, previous: r.PreviousHash, hash: r.Hash}
	seal, err := r.Seal()
	if err != nil {
		return fmt.Errorf("sealing record %d: %w", r.Sequence, err)
	}
	if seal != r.Hash {
		l.record = &r
	}
	v.links = append(v.links, l)
	return nil
}

// Len is how many records were taken.
func (v *Verification) Len() int { return len(v.links) }

// walk follows the hashes from the first record on.
type walk struct {
	links    []link
	next     map[string][]int // by the hash that they continue
	used     []bool
	at       string // hash of the last record
	number   int64  // of the last record
	highest  int    // place of the furthest record so far
	findings []Finding
}

// Check follows the chain from its beginning to the head (as the server tells it), and holds the heads that were kept against
// it. Findings are in the order of the chain; none means that the trail is whole.
func (v *Verification) Check(head Head, kept ...Head) []Finding {
	w := walk{links: v.links, next: map[string][]int{}, used: make([]bool, len(v.links)), at: Genesis, highest: -1}
	for i, l := range v.links {
		w.next[l.previous] = append(w.next[l.previous], i)
	}
	for {
		i, found := w.follow()
		if !found {
			if i, found = w.resume(); !found {
				break
			}
		}
		w.take(i)
	}
	w.checkHead(head)
	for _, k := range kept {
		w.checkKept(k)
	}
	return w.findings
}

func (w *walk) found(kind string, sequence int64, event, detail string, args ...any) {
	w.findings = append(w.findings, Finding{Kind: kind, Sequence: sequence, EventID: event, Detail: fmt.Sprintf(detail, args...)})
}

// follow finds the record that continues the last one. Of several, the one that is sealed with its own hash is the true one.
func (w *walk) follow() (place int, found bool) {
	for _, i := range w.next[w.at] {
		if !w.used[i] && (!found || w.links[place].record != nil && w.links[i].record == nil) {
			place, found = i, true
		}
	}
	return place, found
}

// resume goes on where the chain is broken: with the first record that was not followed yet, in the trail's order.
func (w *walk) resume() (place int, found bool) {
	for i, l := range w.links {
		if w.used[i] {
			continue
		}
		if l.sequence <= w.number-1 || l.sequence == w.number && w.number > 0 {
			w.used[i] = true
			w.found(Inserted, l.sequence, l.event, "record %d (event %s) belongs to no place in the chain: it was inserted", l.sequence, l.event)
			continue
		}
		if !found || l.sequence < w.links[place].sequence {
			place, found = i, true
		}
	}
	if !found {
		return 0, false
	}
	l := w.links[place]
	switch gap := l.sequence - w.number - 1; {
	case gap == 1:
		w.found(Missing, w.number+1, "", "record %d is missing", w.number+1)
	case gap > 1:
		w.found(Missing, w.number+1, "", "records %d to %d are missing", w.number+1, l.sequence-1)
	case l.record == nil:
		w.found(Rewritten, w.number, "", "record %d was rewritten together with its hash: record %d does not continue it", w.number, l.sequence)
	}
	w.number = l.sequence - 1
	return place, true
}

// take goes on to a record, which is the chain's next.
func (w *walk) take(place int) {
	l := w.links[place]
	w.used[place] = true
	w.number++
	switch {
	case place < w.highest:
		w.found(Reordered, l.sequence, l.event, "record %d (event %s) stands out of its order", w.number, l.event)
	case l.record != nil:
		w.judge(*l.record)
	case l.sequence != w.number:
		w.found(Inserted, w.number, l.event, "record %d continues record %d: the chain was forked", l.sequence, w.number-1)
		w.number = l.sequence
	}
	w.at, w.highest = l.hash, max(w.highest, place)
}

// judge tells a record that was moved from one that was changed.
func (w *walk) judge(r Record) {
	stands := r.Sequence
	r.Sequence = w.number
	if seal, err := r.Seal(); err == nil && seal == r.Hash {
		w.found(Reordered, w.number, r.EventID, "record %d (event %s) stands as number %d", w.number, r.EventID, stands)
		return
	}
	w.found(Changed, stands, r.EventID, "record %d (event %s) was changed: its content does not give its hash", stands, r.EventID)
}

func (w *walk) checkHead(head Head) {
	switch {
	case head.Sequence > w.number:
		w.found(Missing, w.number+1, "", "records %d to %d are missing at the end", w.number+1, head.Sequence)
	case head.Sequence < w.number:
		w.found(Inserted, head.Sequence+1, "", "the trail goes on after its head, record %d", head.Sequence)
	case head.Hash != w.at:
		w.found(Rewritten, head.Sequence, "", "record %d is not the one that the head names", head.Sequence)
	}
}

// checkKept holds a head that was kept outside against the trail.
func (w *walk) checkKept(kept Head) {
	if kept.Sequence == 0 {
		return
	}
	i := slices.IndexFunc(w.links, func(l link) bool { return l.hash == kept.Hash })
	switch {
	case i >= 0:
	case kept.Sequence > w.number:
		w.found(Missing, w.number+1, "", "the trail ends at record %d, but the head that you kept names record %d: it was cut off", w.number, kept.Sequence)
	default:
		w.found(Rewritten, kept.Sequence, "", "record %d is not the one that you kept: the trail was rewritten at or before it", kept.Sequence)
	}
}
