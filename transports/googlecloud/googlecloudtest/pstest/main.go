// Command pstest runs the stand-in of Pub/Sub in a process of its own, for machines without the emulator.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"cloud.google.com/go/pubsub/pstest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pstest HOST:PORT")
		os.Exit(2)
	}
	server := pstest.NewServerWithAddress(os.Args[1])
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "pstest:", err)
		os.Exit(1)
	}
}
