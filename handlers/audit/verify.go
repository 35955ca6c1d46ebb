package audit

import (
	"cmp"
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
	Changed   = "changed"   // a record says something else than when it was sealed
	Missing   = "missing"   // records were taken out or cut off
	Inserted  = "inserted"  // a record belongs to no place in the chain
	Reordered = "reordered" // records stand in another order, or with other numbers
	Rewritten = "rewritten" // records were changed together with their hashes: what comes after, or what was kept elsewhere, tells
)

// Verification takes a trail as it stands, record by record in the order in which it is presented, and finds what is wrong.
type Verification struct {
	links []link
	facts map[string]fact // by event
}

// link is what is kept of a record.
type link struct {
	sequence       int64
	event          string
	previous, hash string
	broken         *Record // only of one whose hash is not its own
}

// Add takes the next record.
func (v *Verification) Add(r Record) {
	l := link{sequence: r.Sequence, event: r.EventID, previous: r.PreviousHash, hash: r.Hash}
	if !sealed(r, r.Sequence) {
		l.broken = &r
	}
	v.links = append(v.links, l)
	if v.facts == nil {
		v.facts = map[string]fact{}
	}
	v.facts[r.EventID] = factOf(r)
}

// sealed tells whether the record bears the hash that it had with this number.
func sealed(r Record, number int64) bool {
	r.Sequence = number
	seal, err := r.Seal()
	return err == nil && seal == r.Hash
}

// Last is the number of the last record that was taken.
func (v *Verification) Last() int64 {
	if len(v.links) == 0 {
		return 0
	}
	return v.links[len(v.links)-1].sequence
}

// Len is how many records were taken.
func (v *Verification) Len() int { return len(v.links) }

// Check follows the chain from its beginning to the head (as the service tells it), and holds the heads that were kept against
// it. Findings are in the order of the chain; none means that the trail is whole.
func (v *Verification) Check(head Head, kept ...Head) []Finding {
	w := newWalk(v.links, head)
	for {
		place, found := w.follow()
		if !found {
			if place, found = w.resume(); !found {
				break
			}
		}
		w.take(place)
	}
	w.checkHead()
	for _, k := range kept {
		w.checkKept(k)
	}
	return w.findings
}

// walk follows the hashes from the first record on.
type walk struct {
	links   []link
	head    Head
	next    map[string][]int // places, by the hash that they continue
	hashes  map[string]bool
	ordered []int // places, by their numbers
	used    []bool

	at       string // hash of the last record
	number   int64  // that it has in the chain
	shift    int64  // by how much the numbers stand off
	furthest int    // place
	findings []Finding
}

func newWalk(links []link, head Head) *walk {
	w := &walk{links: links, head: head, next: map[string][]int{}, hashes: map[string]bool{}, used: make([]bool, len(links)), at: Genesis, furthest: -1}
	for i, l := range links {
		w.next[l.previous] = append(w.next[l.previous], i)
		w.hashes[l.hash] = true
		w.ordered = append(w.ordered, i)
	}
	slices.SortStableFunc(w.ordered, func(a, b int) int { return cmp.Compare(links[a].sequence, links[b].sequence) })
	return w
}

func (w *walk) found(kind string, sequence int64, event, detail string, args ...any) {
	w.findings = append(w.findings, Finding{Kind: kind, Sequence: sequence, EventID: event, Detail: fmt.Sprintf(detail, args...)})
}

// follow finds the record that continues the last one. Of several, the chain goes on with the one that others continue, or
// that the head names: nobody can forge a record that an older one continues.
func (w *walk) follow() (place int, found bool) {
	for _, i := range w.next[w.at] {
		if w.used[i] {
			continue
		}
		if hash := w.links[i].hash; len(w.next[hash]) > 0 || hash == w.head.Hash {
			return i, true
		}
		if !found {
			place, found = i, true
		}
	}
	return place, found
}

// resume goes on where the chain is broken: with the lowest number that is left.
func (w *walk) resume() (place int, found bool) {
	for ; len(w.ordered) > 0; w.ordered = w.ordered[1:] {
		place = w.ordered[0]
		l := w.links[place]
		if w.used[place] {
			continue
		}
		number := w.trueNumber(l)
		if number <= w.number {
			w.used[place] = true
			w.found(Inserted, l.sequence, l.event, "record %d (event %s) belongs to no place in the chain: it was inserted", l.sequence, l.event)
			continue
		}
		switch {
		case number > w.number+1:
			w.found(Missing, w.number+1, "", "%s missing", records(w.number+1, number-1))
		case l.broken == nil && w.number > 0:
			w.found(Rewritten, w.number, "", "record %d was rewritten together with its hash: record %d does not continue it", w.number, number)
		case l.broken == nil:
			w.found(Rewritten, number, l.event, "record %d (event %s) is not the first one that was written", number, l.event)
		}
		w.number = number - 1
		return place, true
	}
	return 0, false
}

// renumbered is how far a record is looked for that was moved up.
const renumbered = 10_000

// trueNumber is the number that a record was sealed with, as far as it can be found.
func (w *walk) trueNumber(l link) int64 {
	if l.broken == nil {
		return l.sequence
	}
	for n := w.number + 1; n <= min(w.head.Sequence, w.number+renumbered); n++ {
		if sealed(*l.broken, n) {
			return n
		}
	}
	return l.sequence
}

// records names one record or several.
func records(first, last int64) string {
	if first == last {
		return fmt.Sprintf("record %d is", first)
	}
	return fmt.Sprintf("records %d to %d are", first, last)
}

// take goes on to a record, which is the chain's next.
func (w *walk) take(place int) {
	l := w.links[place]
	w.used[place] = true
	w.number++
	shift := l.sequence - w.number
	switch {
	case l.broken != nil && !sealed(*l.broken, w.number):
		w.found(Changed, l.sequence, l.event, "record %d (event %s) was changed: its content does not give its hash", l.sequence, l.event)
	case shift != 0 && shift != w.shift:
		w.found(Reordered, w.number, l.event, "record %d (event %s) stands as number %d", w.number, l.event, l.sequence)
	case shift == 0 && place < w.furthest:
		w.found(Reordered, w.number, l.event, "record %d (event %s) stands out of its order", w.number, l.event)
	}
	w.at, w.shift, w.furthest = l.hash, shift, max(w.furthest, place)
}

func (w *walk) checkHead() {
	switch {
	case w.head.Sequence > w.number:
		w.found(Missing, w.number+1, "", "%s missing at the end", records(w.number+1, w.head.Sequence))
	case w.head.Sequence < w.number:
		w.found(Inserted, w.head.Sequence+1, "", "the trail goes on after its head, which is record %d", w.head.Sequence)
	case w.head.Hash != w.at:
		w.found(Rewritten, w.head.Sequence, "", "record %d is not the one that the head names", w.head.Sequence)
	}
}

// checkKept holds a head that was kept elsewhere against the trail.
func (w *walk) checkKept(kept Head) {
	switch {
	case kept.Sequence == 0 || w.hashes[kept.Hash]:
	case kept.Sequence > w.number:
		w.found(Missing, w.number+1, "", "the trail ends at record %d, but you kept the head of record %d: it was cut off", w.number, kept.Sequence)
	default:
		w.found(Rewritten, kept.Sequence, "", "record %d is not the one whose head you kept: the trail was rewritten at it or before", kept.Sequence)
	}
}
