package mail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/first-viscount/viscount/handlers/notifications"
)

// Folder keeps each mail as a file, {key}.eml: for a laptop and for tests. A mail that is sent again takes the place of the
// first one.
type Folder struct {
	Dir  string // made if missing
	From string
}

// Send implements notifications.Mailer.
func (f Folder) Send(_ context.Context, m notifications.Mail) (notifications.Answer, error) {
	msg, err := compose(f.From, m)
	if errors.Is(err, errAddress) {
		return notifications.Answer{Detail: err.Error()}, nil
	}
	if err != nil {
		return notifications.Answer{}, err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return notifications.Answer{}, fmt.Errorf("making the folder of mails (notifications.email.folder): %w", err)
	}
	file, err := os.OpenFile(f.part(m.Key), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return notifications.Answer{}, fmt.Errorf("writing a mail: %w", err)
	}
	_, err = msg.WriteTo(file)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), f.path(m.Key))
	}
	if err != nil {
		return notifications.Answer{}, errors.Join(fmt.Errorf("writing a mail: %w", err), os.Remove(file.Name()))
	}
	return notifications.Answer{Sent: true}, nil
}

// Forget implements notifications.Mailer: the files are removed.
func (f Folder) Forget(_ context.Context, keys []string) error {
	var errs []error
	for _, key := range keys {
		for _, name := range []string{f.path(key), f.part(key)} {
			if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (f Folder) path(key string) string { return filepath.Join(f.Dir, key+".eml") }

// part is a mail that is being written; a process that dies leaves it, and the next attempt takes its place.
func (f Folder) part(key string) string { return f.path(key) + ".part" }
