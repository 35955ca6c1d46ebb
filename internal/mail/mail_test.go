package mail_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/internal/mail"
	"github.com/first-viscount/viscount/internal/mail/mailtest"
)

const from = "First Viscount <shop@example.org>"

func letter(to string) notifications.Mail {
	return notifications.Mail{
		Key: "msg_1", To: to, Name: "Zoë Ämter", Subject: "Your order order_1 is accepted – danke", Text: "Hello Zoë\n", HTML: "<p>Hello Zoë</p>\n",
		At: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC),
	}
}

// read takes a mail apart as a mail program does.
func read(t *testing.T, raw string) (header netmail.Header, subject, text, html string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	bodies := map[string]string{}
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, subject, bodies["text/plain"], bodies["text/html"]
		}
		require.NoError(t, err)
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		require.NoError(t, err)
		require.Equal(t, "quoted-printable", part.Header.Get("Content-Transfer-Encoding"))
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		bodies[kind] = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
}

func requireLetter(t *testing.T, raw string) {
	t.Helper()
	header, subject, text, html := read(t, raw)
	require.Equal(t, "Your order order_1 is accepted – danke", subject)
	require.Equal(t, "Hello Zoë", strings.TrimSpace(text))
	require.Equal(t, "<p>Hello Zoë</p>", strings.TrimSpace(html))
	require.Equal(t, "<msg_1@example.org>", header.Get("Message-ID"))
	require.Equal(t, "auto-generated", header.Get("Auto-Submitted"))
	to, err := header.AddressList("To")
	require.NoError(t, err)
	require.Equal(t, []*netmail.Address{{Name: "Zoë Ämter", Address: "zoe@example.org"}}, to)
	at, err := header.Date()
	require.NoError(t, err)
	require.True(t, at.Equal(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)))
}

func newServer(t *testing.T, s mail.Settings) *mail.Server {
	t.Helper()
	s.From = from
	server, err := mail.NewServer(s)
	require.NoError(t, err)
	return server
}

func TestAMailServerTakesTextAndHTML(t *testing.T) {
	at := mailtest.Start(t, mailtest.Options{})
	answer, err := newServer(t, mail.Settings{Address: at.Addr}).Send(t.Context(), letter("zoe@example.org"))
	require.NoError(t, err)
	require.Equal(t, notifications.Answer{Sent: true}, answer)
	require.Len(t, at.Mails(), 1)
	require.Equal(t, []string{"shop@example.org", "zoe@example.org", "msg_1@example.org"}, []string{at.Mails()[0].From, at.Mails()[0].To, at.Mails()[0].MessageID})
	requireLetter(t, at.Mails()[0].Raw)
}

// TestWhatTheServerSaysOfAnAddress also holds that no answer repeats the address, as the server's own words do.
func TestWhatTheServerSaysOfAnAddress(t *testing.T) {
	for name, c := range map[string]struct {
		code int
		want notifications.Answer
	}{
		"unknown for good": {550, notifications.Answer{Detail: "the mail server refused it: 550 5.1.1"}},
		"try later":        {451, notifications.Answer{Again: true, Detail: "the mail server put it off: 451 5.1.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			at := mailtest.Start(t, mailtest.Options{Answer: func(to string) error {
				return &smtp.SMTPError{Code: c.code, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + "> is not known here"}
			}})
			answer, err := newServer(t, mail.Settings{Address: at.Addr}).Send(t.Context(), letter("zoe@example.org"))
			require.NoError(t, err)
			require.Equal(t, c.want, answer)
			require.Empty(t, at.Mails())
		})
	}
	answer, err := newServer(t, mail.Settings{Address: "127.0.0.1:25"}).Send(t.Context(), letter("zoe at example"))
	require.NoError(t, err)
	require.Equal(t, notifications.Answer{Detail: "the address is no mail address"}, answer)
}

func TestAServerThatIsAwayIsAnError(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	_, err = newServer(t, mail.Settings{Address: free.Addr().String()}).Send(t.Context(), letter("zoe@example.org"))
	require.ErrorContains(t, err, "reaching the mail server")
	require.NotContains(t, err.Error(), "zoe")

	at := mailtest.Start(t, mailtest.Options{Username: "shop", Password: "right"})
	_, err = newServer(t, mail.Settings{Address: at.Addr, Username: "shop", Password: "wrong"}).Send(t.Context(), letter("zoe@example.org"))
	require.ErrorContains(t, err, "535")
	_, err = newServer(t, mail.Settings{Address: at.Addr}).Send(t.Context(), letter("zoe@example.org"))
	require.ErrorContains(t, err, "the mail server took no mail", "the sender is at fault, not the recipient")
	require.NotContains(t, err.Error(), "zoe")
	answer, err := newServer(t, mail.Settings{Address: at.Addr, Username: "shop", Password: "right"}).Send(t.Context(), letter("zoe@example.org"))
	require.NoError(t, err)
	require.True(t, answer.Sent)
	require.Equal(t, "shop", at.Mails()[0].User)
}

func TestTheConnectionIsEncryptedAndTheServerKnown(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate, of 127.0.0.1
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600))
	at := mailtest.Start(t, mailtest.Options{TLS: &tls.Config{Certificates: web.TLS.Certificates}})

	answer, err := newServer(t, mail.Settings{Address: at.Addr, TLS: "starttls", CAFile: ca}).Send(t.Context(), letter("zoe@example.org"))
	require.NoError(t, err)
	require.True(t, answer.Sent)
	_, err = newServer(t, mail.Settings{Address: at.Addr, TLS: "starttls"}).Send(t.Context(), letter("zoe@example.org"))
	require.ErrorContains(t, err, "certificate", "signed by nobody that the system knows")
	plain := mailtest.Start(t, mailtest.Options{})
	_, err = newServer(t, mail.Settings{Address: plain.Addr, TLS: "starttls", CAFile: ca}).Send(t.Context(), letter("zoe@example.org"))
	require.ErrorContains(t, err, "STARTTLS", "a server that offers none gets no mail")
	require.Empty(t, plain.Mails())
	require.Len(t, at.Mails(), 1)
}

func TestAServerGetsAFewConnectionsAtOnce(t *testing.T) {
	inside, most := make(chan struct{}, 100), 0
	release := make(chan struct{})
	at := mailtest.Start(t, mailtest.Options{Answer: func(string) error {
		inside <- struct{}{}
		<-release
		<-inside
		return nil
	}})
	server := newServer(t, mail.Settings{Address: at.Addr})
	errs := make(chan error, 40)
	for i := range 40 {
		go func() {
			_, err := server.Send(t.Context(), letter(fmt.Sprintf("zoe%d@example.org", i)))
			errs <- err
		}()
	}
	require.Eventually(t, func() bool { most = max(most, len(inside)); return most == 8 }, 10*time.Second, time.Millisecond)
	close(release)
	for range 40 {
		require.NoError(t, <-errs)
	}
	require.LessOrEqual(t, most, 8)
	require.Len(t, at.Mails(), 40)
}

func TestAFolderKeepsOneFileAMail(t *testing.T) {
	f := mail.Folder{Dir: filepath.Join(t.TempDir(), "mail"), From: from}
	for range 2 {
		answer, err := f.Send(t.Context(), letter("zoe@example.org"))
		require.NoError(t, err)
		require.True(t, answer.Sent)
	}
	files, err := os.ReadDir(f.Dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	raw, err := os.ReadFile(filepath.Join(f.Dir, "msg_1.eml"))
	require.NoError(t, err)
	requireLetter(t, string(raw))
	answer, err := f.Send(t.Context(), letter("zoe"))
	require.NoError(t, err)
	require.False(t, answer.Sent)
	require.NoError(t, os.WriteFile(filepath.Join(f.Dir, "msg_2.eml.part"), []byte("To: zoe@example.org"), 0o600), "of a process that died")
	require.NoError(t, f.Forget(context.Background(), []string{"msg_1", "msg_2"}))
	files, err = os.ReadDir(f.Dir)
	require.NoError(t, err)
	require.Empty(t, files)
}
