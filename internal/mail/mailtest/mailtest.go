// Package mailtest runs a mail server inside a test, which notes what it takes. It imports no other folder.
package mailtest

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is one mail as it was taken.
type Mail struct {
	From, To  string // of the envelope
	MessageID string // without its brackets
	User      string // who sent it
	Raw       string
}

// Options of a server. The zero value takes everything, in plain text.
type Options struct {
	TLS                *tls.Config // offers STARTTLS
	Username, Password string      // wanted of a client that authenticates
	// Answer tells what becomes of a recipient: nil takes the mail, an *smtp.SMTPError is sent. It is asked for each RCPT.
	Answer func(to string) error
}

// Server is a mail server.
type Server struct {
	Addr    string
	options Options
	mu      sync.Mutex
	mails   []Mail
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	server.Domain, server.AllowInsecureAuth, server.TLSConfig = "localhost", true, o.TLS
	server.ErrorLog = log.New(io.Discard, "", 0) // clients may die in the middle
	server.ReadTimeout, server.WriteTimeout = 30*time.Second, 30*time.Second
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening for mail: %v", err)
	}
	s.Addr = listener.Addr().String()
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-done); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Errorf("ending the mail server: %v", err)
		}
	})
	return s
}

// Mails are those that were taken so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

type session struct {
	server *Server
	mail   Mail
}

func (s *session) Reset()        { s.mail = Mail{User: s.mail.User} }
func (s *session) Logout() error { return nil }

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.options.Username || password != s.server.options.Password {
			return smtp.ErrAuthFailed
		}
		s.mail.User = username
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.options.Username != "" && s.mail.User == "" {
		return smtp.ErrAuthRequired
	}
	s.mail.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.server.options.Answer != nil {
		if err := s.server.options.Answer(to); err != nil {
			return err
		}
	}
	s.mail.To = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.Raw = string(raw)
	message, err := mail.ReadMessage(strings.NewReader(s.mail.Raw))
	if err != nil {
		return err
	}
	s.mail.MessageID = strings.Trim(message.Header.Get("Message-ID"), "<>")
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}
