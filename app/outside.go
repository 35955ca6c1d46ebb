package app

import (
	"path/filepath"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/internal/mail"
	"github.com/first-viscount/viscount/internal/webhook"
)

// connect gives services their ways out of the platform.
func (a *App) connect(p api.Platform, c config.Config) (err error) {
	if p.Notifications.Mail, err = mailer(c); err != nil {
		return err
	}
	if hook := c.Notifications.Webhook; hook.Secret != "" {
		caller, err := webhook.New(webhook.Settings{Secret: hook.Secret, PreviousSecret: hook.PreviousSecret, Timeout: hook.Timeout, PrivateAddresses: hook.PrivateAddresses})
		if err != nil {
			return err
		}
		p.Notifications.Hooks = caller
		a.closeOutside = append(a.closeOutside, caller.Close)
	}
	stock := newRestocking(a.listener.Addr(), c.Procurement.Token)
	p.Procurement.Inventory = stock
	a.closeOutside = append(a.closeOutside, stock.client.CloseIdleConnections)
	return nil
}

// mailer is how e-mail leaves; nil for not at all.
func mailer(c config.Config) (notifications.Mailer, error) {
	e := c.Notifications.Email
	switch e.Driver {
	case "folder":
		dir := e.Folder
		if dir == "" {
			dir = filepath.Join(c.Store.SQLite.Dir, "mail")
		}
		return mail.Folder{Dir: dir, From: e.From}, nil
	case "smtp":
		s := e.SMTP
		server, err := mail.NewServer(mail.Settings{Address: s.Address, TLS: s.TLS, CAFile: s.CAFile, Username: s.Username, Password: s.Password, From: e.From})
		if err != nil {
			return nil, err
		}
		return server, nil
	}
	return nil, nil
}
