package postgres_test

import (
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/postgres"
)

// refusing is a server that asks for a password and then refuses everybody with a code of PostgreSQL's.
func refusing(t *testing.T, code, message string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server := pgproto3.NewBackend(conn, conn)
			if _, err := server.ReceiveStartupMessage(); err == nil {
				server.Send(&pgproto3.AuthenticationCleartextPassword{})
				_ = server.Flush() // the client tells
				_, _ = server.Receive()
				server.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: message})
				_ = server.Flush()
			}
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

// Who cannot connect is told which setting is to blame, and never the password.
func TestARefusalNamesTheSetting(t *testing.T) {
	for code, want := range map[string]string{
		"28P01": `refuses user "viscount": check store.postgres.password and the user in store.postgres.url: no`,
		"3D000": "no; create it, or name another in store.postgres.url",
		"53300": "(store.postgres.url): no (53300)",
	} {
		at := refusing(t, code, "no")
		_, err := postgres.Open(t.Context(), postgres.Target{Setting: "store.postgres", URL: "postgres://viscount@" + at + "/viscount?sslmode=disable", Password: "hunter2", Schema: "orders", Pool: 1})
		require.ErrorContains(t, err, "PostgreSQL at "+at)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
