package postgres_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/postgres"
)

// welcoming is a server that lets everybody in and has nothing to say.
func welcoming(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		server := pgproto3.NewBackend(conn, conn)
		if _, err := server.ReceiveStartupMessage(); err != nil {
			return
		}
		server.Send(&pgproto3.AuthenticationOk{})
		for {
			server.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			_ = server.Flush() // the client tells
			if _, err := server.Receive(); err != nil {
				return
			}
			server.Send(&pgproto3.EmptyQueryResponse{})
		}
	}()
	return listener.Addr().String()
}

// A server that vanishes without a word is given up within seconds, whether it owes an acknowledgement or an answer.
func TestSilenceIsLimited(t *testing.T) {
	db, err := postgres.Open(t.Context(), postgres.Target{Setting: "store.postgres", URL: "postgres://viscount@" + welcoming(t) + "/viscount?sslmode=disable", Schema: "orders", Pool: 1})
	require.NoError(t, err)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(c any) error {
		socket, err := c.(*stdlib.Conn).Conn().PgConn().Conn().(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		return socket.Control(func(fd uintptr) {
			for option, want := range map[int]int{18: 15_000, syscall.TCP_KEEPIDLE: 5, syscall.TCP_KEEPINTVL: 5, syscall.TCP_KEEPCNT: 3} {
				got, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, option)
				require.NoError(t, err)
				require.Equal(t, want, got, "option %d of TCP", option)
			}
		})
	}))
}
