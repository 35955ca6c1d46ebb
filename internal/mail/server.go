package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/first-viscount/viscount/handlers/notifications"
)

// connections is how many a mail server gets at once: servers count them.
const connections = 8

// Settings describe a mail server.
type Settings struct {
	Address            string // host:port
	TLS                string // starttls, implicit; empty: none
	CAFile             string // trusted instead of the system's authorities
	Username, Password string // nobody, if empty
	From               string
}

// Server hands mails to a mail server over SMTP.
type Server struct {
	from    string
	host    string
	options []mail.Option
	slots   chan struct{}
}

// NewServer prepares a mail server; it is dialled for each mail.
func NewServer(s Settings) (*Server, error) {
	host, portText, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, fmt.Errorf("notifications.email.smtp.address: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("notifications.email.smtp.address: %w", err)
	}
	secure := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("notifications.email.smtp.ca_file: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("notifications.email.smtp.ca_file: %s holds no certificate", s.CAFile)
		}
	}
	options := []mail.Option{mail.WithPort(port), mail.WithTLSConfig(secure), mail.WithTLSPolicy(mail.NoTLS)}
	switch s.TLS {
	case "starttls":
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "implicit":
		options = append(options, mail.WithSSL())
	}
	if s.Username != "" {
		kind := mail.SMTPAuthAutoDiscover
		if s.TLS == "" { // it would not tell a password in plain text; whoever configures this wants it
			kind = mail.SMTPAuthPlainNoEnc
		}
		options = append(options, mail.WithSMTPAuth(kind), mail.WithUsername(s.Username), mail.WithPassword(s.Password))
	}
	return &Server{from: s.From, host: host, options: options, slots: make(chan struct{}, connections)}, nil
}

// Send implements notifications.Mailer.
func (s *Server) Send(ctx context.Context, m notifications.Mail) (notifications.Answer, error) {
	msg, err := compose(s.from, m)
	if errors.Is(err, errAddress) {
		return notifications.Answer{Detail: err.Error()}, nil
	}
	if err != nil {
		return notifications.Answer{}, err
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return notifications.Answer{}, ctx.Err()
	}
	client, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return notifications.Answer{}, fmt.Errorf("preparing the mail server: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if err == nil || msg.IsDelivered() { // what goes wrong after the server has taken it is no matter
		return notifications.Answer{Sent: true}, nil
	}
	return answerOf(err)
}

// answerOf tells what the server says of this recipient from what is wrong with the server or with the way to it. The server's
// words are left out: they repeat the address.
func answerOf(err error) (notifications.Answer, error) {
	var refused *mail.SendError
	if !errors.As(err, &refused) {
		return notifications.Answer{}, fmt.Errorf("reaching the mail server: %w", err)
	}
	code := strings.TrimSpace(strconv.Itoa(refused.ErrorCode()) + " " + refused.EnhancedStatusCode())
	ofRecipient := refused.Reason == mail.ErrSMTPRcptTo || refused.Reason == mail.ErrSMTPData || refused.Reason == mail.ErrSMTPDataClose
	switch {
	case ofRecipient && refused.ErrorCode() >= 500:
		return notifications.Answer{Detail: "the mail server refused it: " + code}, nil
	case ofRecipient && refused.ErrorCode() >= 400:
		return notifications.Answer{Again: true, Detail: "the mail server put it off: " + code}, nil
	}
	return notifications.Answer{}, fmt.Errorf("the mail server took no mail: %s (%s)", refused.Reason, code)
}

// Forget implements notifications.Mailer: what was handed over is not kept here.
func (s *Server) Forget(context.Context, []string) error { return nil }
