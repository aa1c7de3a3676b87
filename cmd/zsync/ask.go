package main

import (
	"os"
	"os/signal"
	"syscall"
)

// answer waits for what a person types, or for Ctrl-C: a read from a terminal does
// not end with the context that Ctrl-C ends everywhere else.
func answer[T any](read func() (T, error)) (T, error) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	var typed T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		typed, err = read()
	}()
	select {
	case <-done:
		return typed, err
	case <-interrupted: // the program ends, and the read with it
		var none T
		return none, &failure{code: exitInterrupted}
	}
}
