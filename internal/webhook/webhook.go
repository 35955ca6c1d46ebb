// Package webhook calls the webhooks of notifications, signed as Standard Webhooks says, and keeps them away from where
// strangers must not reach: loopback and private networks.
//
// It imports handlers/notifications, whose Hooks it is. No answer of it tells an address of a recipient.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/first-viscount/viscount/handlers/notifications"
)

const (
	secretPrefix = "whsec_"
	maxURL       = 2048
	maxAnswer    = 64 << 10 // of what a receiver answers, so that its connection can be used again
)

// Settings say how webhooks are called.
type Settings struct {
	Secret           string // whsec_ and base64; each recipient's own is derived from it
	PreviousSecret   string // signs as well, unless it is empty
	Timeout          time.Duration
	PrivateAddresses bool // allows loopback, private networks and plain HTTP
}

// Caller calls webhooks.
type Caller struct {
	masters [][]byte // the present secret first
	private bool
	client  *http.Client
}

// New prepares the calls.
func New(s Settings) (*Caller, error) {
	c := &Caller{private: s.PrivateAddresses}
	for _, secret := range []string{s.Secret, s.PreviousSecret} {
		if secret == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
		if err != nil {
			return nil, errors.New("notifications.webhook: a secret is no base64")
		}
		c.masters = append(c.masters, raw)
	}
	dialer := &net.Dialer{Timeout: s.Timeout, Control: c.guard}
	c.client = &http.Client{
		Timeout:       s.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // would lead past the checks of the URL
		Transport: &http.Transport{ // no proxy of the environment: it would connect in our place, unguarded
			DialContext: dialer.DialContext, TLSHandshakeTimeout: s.Timeout, MaxIdleConnsPerHost: 2, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second,
		},
	}
	return c, nil
}

// Check implements notifications.Hooks.
func (c *Caller) Check(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL || u.Hostname() == "":
		return errors.New("must be a URL such as https://example.org/hooks/orders")
	case u.Scheme != "https" && (u.Scheme != "http" || !c.private):
		return errors.New("must begin with https://")
	case u.User != nil:
		return errors.New("must hold no user and no password: what we send is signed")
	case u.Fragment != "":
		return errors.New("must hold no fragment (#)")
	}
	if address, err := netip.ParseAddr(u.Hostname()); err == nil && !c.private && !public(address) {
		return errPrivate
	}
	return nil
}

var errPrivate = errors.New("must not be an address of loopback or of a private network")

// guard looks at the address that a name has led to, right before it is connected: whoever owns a name decides where it leads,
// and may decide anew every second.
func (c *Caller) guard(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !c.private && !public(at.Addr()) {
		return errPrivate
	}
	return nil
}

// notPublic are ranges that the standard library calls global, and that lead into networks of our own or translate into them.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func public(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, network := range notPublic {
		if network.Contains(address) {
			return false
		}
	}
	return address.IsGlobalUnicast() && !address.IsPrivate()
}

// Secret implements notifications.Hooks: one secret per recipient, so that none can sign in the name of us to another.
func (c *Caller) Secret(recipient string) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(derive(c.masters[0], recipient))
}

func derive(master []byte, recipient string) []byte {
	mac := hmac.New(sha256.New, master)
	mac.Write([]byte("webhook " + recipient))
	return mac.Sum(nil)
}

// Call implements notifications.Hooks.
func (c *Caller) Call(ctx context.Context, h notifications.Hook) (notifications.Answer, error) {
	if err := c.Check(h.URL); err != nil {
		return notifications.Answer{Detail: "the URL " + err.Error()}, nil
	}
	request, err := c.request(ctx, h, time.Now())
	if err != nil {
		return notifications.Answer{}, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return unanswered(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // what it says besides its status is no matter
	switch detail := "the receiver answered " + strconv.Itoa(response.StatusCode); {
	case response.StatusCode >= 200 && response.StatusCode < 300:
		return notifications.Answer{Sent: true}, nil
	case response.StatusCode == http.StatusGone: // by the standard: it wants no more calls
		return notifications.Answer{Detail: detail}, nil
	default:
		return notifications.Answer{Again: true, Detail: detail}, nil
	}
}

// request signs the call with every secret.
func (c *Caller) request(ctx context.Context, h notifications.Hook, at time.Time) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(h.Body))
	if err != nil {
		return nil, errors.New("the URL of a webhook cannot be called")
	}
	var signatures []string
	for _, master := range c.masters {
		hook, err := standard.NewWebhookRaw(derive(master, h.Recipient))
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		signature, err := hook.Sign(h.Key, at, h.Body)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		signatures = append(signatures, signature)
	}
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"viscount"},
		"Webhook-Id": {h.Key}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {strings.Join(signatures, " ")},
	}
	return request, nil
}

// unanswered says why there was no answer, without the URL and the host that Go's errors tell. A call that ended because this
// process stops is no fault of the receiver.
func unanswered(err error) (notifications.Answer, error) {
	var name *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return notifications.Answer{}, context.Canceled
	case errors.Is(err, errPrivate):
		return notifications.Answer{Detail: "the URL leads to loopback or a private network (notifications.webhook.private_addresses)"}, nil
	case errors.As(err, &name):
		return notifications.Answer{Again: true, Detail: "the receiver's name is not known"}, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return notifications.Answer{Again: true, Detail: "the receiver refused the connection"}, nil
	case isTimeout(err):
		return notifications.Answer{Again: true, Detail: "the receiver did not answer in time"}, nil
	}
	return notifications.Answer{Again: true, Detail: "the connection to the receiver broke, or its certificate is not valid"}, nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Close ends the connections that are kept.
func (c *Caller) Close() { c.client.CloseIdleConnections() }
