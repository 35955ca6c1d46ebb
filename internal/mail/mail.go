// Package mail sends the e-mail of notifications: to a mail server, or into a folder of .eml files.
//
// It imports handlers/notifications, whose Mailer it is. No error of it tells an address of a recipient.
package mail

import (
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/first-viscount/viscount/handlers/notifications"
)

// errAddress says that a recipient's address is none.
var errAddress = errors.New("the address is no mail address")

// compose writes a mail in text and HTML. Its Message-ID is made from the key, so that every attempt bears the same.
func compose(from string, m notifications.Mail) (*mail.Msg, error) {
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("reading the sender (notifications.email.from): %w", err)
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(sender)
	if err := msg.AddToFormat(m.Name, m.To); err != nil {
		return nil, errAddress
	}
	_, domain, _ := strings.Cut(sender.Address, "@")
	msg.SetMessageIDWithValue(m.Key + "@" + domain)
	msg.SetDateWithValue(m.At)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.Subject(m.Subject)
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	return msg, nil
}
