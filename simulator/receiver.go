package simulator

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// receiver takes the webhooks of the run's customers in.
type receiver struct {
	url    string
	server *http.Server

	mu  sync.Mutex
	got map[string]int // by message
}

// receive listens where the platform can reach this process: at the address that leads to the platform.
func receive(ctx context.Context, platform string) (*receiver, error) {
	host := "127.0.0.1"
	if u, err := url.Parse(platform); err == nil {
		port := u.Port()
		if port == "" {
			port = u.Scheme // a service's name is a port, too
		}
		dialer := net.Dialer{Timeout: 10 * time.Second}
		if conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port)); err == nil {
			host, _, err = net.SplitHostPort(conn.LocalAddr().String())
			if err = errors.Join(err, conn.Close()); err != nil {
				return nil, err
			}
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String() + "/simulated", got: map[string]int{}}
	r.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got[q.Header.Get("webhook-id")]++
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = r.server.Serve(listener) }() // ends with close
	return r, nil
}

func (r *receiver) received(message string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[message] > 0
}

func (r *run) closeHooks() {
	if r.hooks != nil {
		_ = r.hooks.server.Close() // nobody waits for an answer any more
	}
}

// arrivals checks that what the platform calls sent was received.
func (b *books) arrivals(messages []messageFacts, received func(message string) bool) {
	r := b.rule("notifications: every webhook that was sent has arrived")
	for _, m := range messages {
		ours := false
		for _, c := range b.r.contacts {
			ours = ours || m.Recipient == "customer:"+c.customer
		}
		if ours && m.Channel == byWebhook && m.Status == "sent" {
			r.check(received(m.ID), "message %s to %s is called sent, but never came", m.ID, m.Recipient)
		}
	}
}
