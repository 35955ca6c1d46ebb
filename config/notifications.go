package config

import (
	"encoding/base64"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Notifications says how customers and staff are told.
type Notifications struct {
	Digest  time.Duration `yaml:"digest" min:"0" doc:"what one recipient is told about products within it leaves as one message; 0s: each by itself"`
	Email   Email         `yaml:"email"`
	Webhook Webhook       `yaml:"webhook"`
	Staff   Staff         `yaml:"staff"`
}

// Email is how e-mail leaves.
type Email struct {
	Driver string `yaml:"driver" zero:"none" oneof:"folder smtp" doc:"how e-mail leaves: into a folder, to a mail server, or not at all"`
	From   string `yaml:"from" required:"true" doc:"sender, as in First Viscount <shop@example.org>"`
	Folder string `yaml:"folder" doc:"folder of the .eml files; empty: mail, in store.sqlite.dir"`
	SMTP   SMTP   `yaml:"smtp"`
}

// SMTP is the mail server that takes e-mail.
type SMTP struct {
	Address  string `yaml:"address" doc:"host:port of the mail server; the port is 587 for starttls, 465 for implicit"`
	TLS      string `yaml:"tls" zero:"none" oneof:"starttls implicit" doc:"how the connection is encrypted"`
	Insecure bool   `yaml:"insecure" doc:"allows a mail server outside loopback without TLS"`
	CAFile   string `yaml:"ca_file" doc:"PEM file of the authorities to trust; empty: the system's"`
	Username string `yaml:"username" doc:"user to authenticate as; empty: nobody"`
	Password string `yaml:"password" secret:"true" doc:"password of that user"`
}

// Webhook is how webhooks are called.
type Webhook struct {
	Secret           string        `yaml:"secret" secret:"true" doc:"secret that signatures are derived from, whsec_ and base64; empty: no webhook is called"`
	PreviousSecret   string        `yaml:"previous_secret" secret:"true" doc:"secret before it, with which calls are signed as well while receivers change theirs"`
	Timeout          time.Duration `yaml:"timeout" doc:"how long a receiver may take to answer"`
	PrivateAddresses bool          `yaml:"private_addresses" doc:"allows receivers on loopback and in private networks, and without TLS"`
}

// Staff are told about stock.
type Staff struct {
	Emails  []string `yaml:"emails" doc:"e-mail addresses of staff who are told about stock"`
	Webhook string   `yaml:"webhook" doc:"URL that is told about stock; empty: none"`
}

// checkNotifications judges the ways out together.
func (l *loader) checkNotifications() {
	const email, hook = "notifications.email.", "notifications.webhook."
	n := l.config.Notifications
	if n.Email.From != "" {
		l.checkMailAddress(email+"from", n.Email.From)
	}
	l.checkStaff("notifications.staff.emails", n.Staff.Emails)
	if n.Email.Driver == "smtp" {
		l.checkSMTP(email+"smtp.", n.Email.SMTP)
	}
	l.checkWebhookSecret(hook+"secret", n.Webhook.Secret)
	l.checkWebhookSecret(hook+"previous_secret", n.Webhook.PreviousSecret)
	if n.Webhook.PreviousSecret != "" && n.Webhook.Secret == "" {
		l.wrong(hook+"secret", "", "empty", "set it, or remove previous_secret", hook+"previous_secret")
	}
	if n.Staff.Webhook == "" {
		return
	}
	if u, err := url.Parse(n.Staff.Webhook); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		l.wrong("notifications.staff.webhook", n.Staff.Webhook, "is not a URL", "write one such as https://chat.example.org/hooks/stock")
	}
	if n.Webhook.Secret == "" {
		l.wrong(hook+"secret", "", "empty, so that staff's webhook would not be called", webhookSecretRemedy, "notifications.staff.webhook")
	}
}

func (l *loader) checkStaff(path string, addresses []string) {
	for i, address := range addresses {
		l.checkMailAddress(path, address)
		if slices.ContainsFunc(addresses[:i], func(before string) bool { return strings.EqualFold(before, address) }) {
			l.wrong(path, address, "stands here a second time", "keep one of them")
		}
	}
}

func (l *loader) checkMailAddress(path, address string) {
	if _, err := mail.ParseAddress(address); err != nil {
		l.wrong(path, address, "is not a mail address", "write one such as shop@example.org")
	}
}

func (l *loader) checkSMTP(prefix string, s SMTP) {
	if s.Address == "" {
		l.wrong(prefix+"address", "", "empty", "set the mail server's host:port", "notifications.email.driver")
	} else if l.checkAddress(prefix+"address", s.Address) && s.TLS == "" && !s.Insecure && !loopback(s.Address) {
		l.wrong(prefix+"address", s.Address, "is outside loopback, and TLS is off", "set "+prefix+"tls to starttls or implicit, or "+prefix+"insecure to allow plain text")
	}
	if s.Username != "" && s.Password == "" {
		l.wrong(prefix+"password", "", "empty", "set it or password_file, or remove username", prefix+"username")
	}
	if s.Username == "" && s.Password != "" {
		l.wrong(prefix+"username", "", "empty", "set it, or remove password", prefix+"password")
	}
}

const (
	webhookSecretPrefix = "whsec_"
	webhookSecretRemedy = "write whsec_ and the base64 of 24 to 64 random bytes, as `echo whsec_$(openssl rand -base64 32)` makes it"
)

// checkWebhookSecret wants a secret as Standard Webhooks writes it, or none.
func (l *loader) checkWebhookSecret(path, secret string) {
	if secret == "" {
		return
	}
	encoded, marked := strings.CutPrefix(secret, webhookSecretPrefix)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !marked || err != nil || len(raw) < 24 || len(raw) > 64 {
		l.wrong(path, "", "is no secret of a webhook", webhookSecretRemedy) // not shown
	}
}
