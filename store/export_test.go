package store

// Queued is how many transactions wait for the committer.
func (s *Store) Queued() int { return len(s.queue) }
