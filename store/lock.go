package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// fileLock marks a database file as opened by this process. The kernel frees it with the process, however that ends.
type fileLock struct{ file *os.File }

// HeldError says who holds a database file.
type HeldError struct{ Holder string }

func (e *HeldError) Error() string {
	return "the file is in use by " + e.Holder + "; stop that server, or choose another folder (--data-dir, store.sqlite.dir)"
}

func lockFile(path string) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(&HeldError{Holder: holder(file)}, file.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), file.Close())
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	if err := file.Truncate(0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	note := fmt.Sprintf("process %d on %s since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if _, err := file.WriteAt([]byte(note), 0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &fileLock{file: file}, nil
}

func holder(file *os.File) string {
	note, err := io.ReadAll(io.LimitReader(file, 512))
	if err != nil || strings.TrimSpace(string(note)) == "" {
		return "another process"
	}
	return strings.TrimSpace(string(note))
}

func (l *fileLock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close() // closing frees the lock; the file stays, so that nobody locks a name that is gone
}
