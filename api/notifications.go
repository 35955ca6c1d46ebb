package api

import (
	"context"
	"fmt"
	"net/http"
	"net/mail"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/store"
)

type contactBody struct {
	Name        string                    `json:"name" rule:"text"`
	Email       string                    `json:"email,omitzero"`
	Webhook     string                    `json:"webhook,omitzero"`
	Watched     []string                  `json:"watched_products,omitzero"`
	Preferences notifications.Preferences `json:"preferences,omitzero"`
	Quiet       notifications.QuietHours  `json:"quiet_hours,omitzero"`
}

const (
	maxWatched = 1000
	maxName    = 200
)

func checkContact(c *requestCheck, b contactBody) {
	if len(b.Name) > maxName || strings.ContainsAny(b.Name, "\r\n") {
		c.wrong("/name", fmt.Sprintf("must be 1–%d bytes on one line", maxName))
	}
	if address, err := mail.ParseAddress(b.Email); b.Email != "" && (err != nil || address.Address != b.Email) {
		c.wrong("/email", "must be a mail address such as ada@example.org")
	}
	if len(b.Watched) > maxWatched {
		c.wrong("/watched_products", fmt.Sprintf("must be at most %d", maxWatched))
	}
	for i, product := range b.Watched {
		c.id(fmt.Sprintf("/watched_products/%d", i), product)
	}
	for about, channels := range map[notifications.Subject][]notifications.Channel{notifications.Orders: b.Preferences.Orders, notifications.Products: b.Preferences.Products} {
		for i, channel := range channels {
			if channel != notifications.Email && channel != notifications.Webhook {
				c.wrong(fmt.Sprintf("/preferences/%s/%d", about, i), "must be email or webhook")
			}
		}
	}
	if member, err := b.Quiet.Check(); err != nil {
		c.wrong("/quiet_hours/"+member, err.Error())
	}
}

func (b contactBody) contact(customer string) notifications.Contact {
	return notifications.Contact{CustomerID: customer, Name: b.Name, Email: b.Email, Webhook: b.Webhook, Watched: b.Watched, Preferences: b.Preferences, Quiet: b.Quiet}
}

// staffBody are the ways to staff.
type staffBody struct {
	Items []notifications.Way `json:"items"`
}

// secretBody is what a receiver verifies signatures with.
type secretBody struct {
	Recipient string `json:"recipient"`
	Secret    string `json:"secret"`
}

func (s *Server) notificationEndpoints() []endpoint {
	service := s.Platform.Notifications
	if service == nil {
		return nil
	}
	return []endpoint{
		{http.MethodGet, "/notifications", Viewer, "What customers and staff were told, the newest first", paged(
			parameter{name: "customer_id", sample: "", doc: "to this customer only"},
			parameter{name: "recipient", sample: "", doc: "to this recipient only"},
			parameter{name: "status", sample: "", oneOf: notifications.Statuses(), doc: "in this state only"},
			parameter{name: "channel", sample: "", oneOf: []string{string(notifications.Email), string(notifications.Webhook)}, doc: "through this channel only"},
			parameter{name: "event_id", sample: "", doc: "of this event only"},
		), listing(s, "notifications", func(m notifications.Message) string { return strconv.FormatInt(m.Position(), 10) },
			func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]notifications.Message, error) {
				before, err := number(after)
				if err != nil {
					return nil, err
				}
				return service.List(ctx, r, notifications.Filter{
					CustomerID: c.Query("customer_id"), Recipient: c.Query("recipient"), Status: c.Query("status"),
					Channel: notifications.Channel(c.Query("channel")), EventID: c.Query("event_id"), Before: before, Limit: limit,
				})
			})},
		{http.MethodGet, "/notifications/staff", Viewer, "Who of staff is told about stock, by which channels", nil,
			reading(s, "notifications", func(context.Context, store.Reader, *gin.Context) (staffBody, error) {
				return staffBody{Items: service.StaffWays()}, nil
			})},
		{http.MethodGet, "/notifications/:id", Viewer, "One notification", nil,
			reading(s, "notifications", func(ctx context.Context, r store.Reader, c *gin.Context) (notifications.Message, error) {
				return service.Get(ctx, r, c.Param("id"))
			})},
		{http.MethodPost, "/notifications/:id/resend", Operator, "Send a notification again, with its key, to where its recipient is reached now", nil,
			command(s, "notifications", http.StatusAccepted, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, _ nothing) (reply[notifications.Message], error) {
				m, err := service.Resend(ctx, tx, c.Param("id"))
				return reply[notifications.Message]{body: m}, err
			})},
		{http.MethodGet, "/notifications/contacts/:id", Admin, "How a customer is reached", nil,
			reading(s, "notifications", func(ctx context.Context, r store.Reader, c *gin.Context) (notifications.Contact, error) {
				return service.Contact(ctx, r, c.Param("id"))
			})},
		{http.MethodPut, "/notifications/contacts/:id", Operator, "Keep how a customer is reached, in place of what was known", nil,
			command(s, "notifications", http.StatusOK, checkContact, func(ctx context.Context, tx *store.Tx, c *gin.Context, b contactBody) (reply[notifications.Contact], error) {
				contact, err := service.PutContact(ctx, tx, b.contact(c.Param("id")))
				return reply[notifications.Contact]{body: contact}, err
			})},
		{http.MethodGet, "/notifications/secrets/:recipient", Admin, "The secret with which a recipient, customer:ID or staff:webhook, verifies the signatures of its webhook", nil,
			reading(s, "notifications", func(_ context.Context, _ store.Reader, c *gin.Context) (secretBody, error) {
				secret, err := service.Secret(c.Param("recipient"))
				return secretBody{Recipient: c.Param("recipient"), Secret: secret}, err
			})},
	}
}
