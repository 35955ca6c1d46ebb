package keyed

import "sync"

// Watermark turns acknowledgements in any order into the position up to which a source with positions (a partition) may
// acknowledge: the last one before the first unfinished message.
type Watermark struct {
	mu       sync.Mutex
	pending  []int64
	finished map[int64]bool
	mark     int64
	moved    func(mark int64)
}

// NewWatermark starts at a position that is finished already; moved is called, in order, each time the mark rises.
func NewWatermark(start int64, moved func(mark int64)) *Watermark {
	return &Watermark{mark: start, moved: moved, finished: map[int64]bool{}}
}

// Begin notes a message that was taken in. Positions must rise; they may have gaps.
func (w *Watermark) Begin(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, at)
}

// Finish notes the acknowledgement of a message.
func (w *Watermark) Finish(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finished[at] = true
	before := w.mark
	for len(w.pending) > 0 && w.finished[w.pending[0]] {
		w.mark = w.pending[0]
		delete(w.finished, w.mark)
		w.pending = w.pending[1:]
	}
	if w.mark != before {
		w.moved(w.mark)
	}
}

// Unfinished is how many messages stand between the mark and the last one taken in.
func (w *Watermark) Unfinished() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending)
}
