package keyed

// InFlight is how many messages are taken in and not finished.
func (e *Engine) InFlight() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.inside
}
