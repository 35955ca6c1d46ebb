package app

import (
	"errors"
	"fmt"

	"github.com/first-viscount/viscount/config"
)

// ErrNotSupported says that the configuration asks for what this version does not have.
var ErrNotSupported = errors.New("not in this version")

// supported refuses settings that would be accepted and not obeyed: a server that somebody believes to be protected
// must not start without it.
func supported(c config.Config) error {
	var errs []error
	refuse := func(key, what string) { errs = append(errs, fmt.Errorf("%s: %s is %w", key, what, ErrNotSupported)) }
	if !c.HTTP.Auth.None() {
		refuse("http.auth", "authentication (listen on loopback, behind a proxy that checks tokens)")
	}
	return errors.Join(errs...)
}
