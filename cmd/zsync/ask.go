package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// confirm asks a person; without a terminal, hint is what answers the question.
func (p *program) confirm(question, hint string) (yes bool, err error) {
	if !isTerminal(os.Stdin) || !isTerminal(p.stderr) {
		return false, failedf(exitConfirm, hint, "%s There is no terminal to ask on", question)
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", printable(question))
	line, err := answer(func() (string, error) { return bufio.NewReader(os.Stdin).ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(p.stderr)
		return false, asFailure(err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

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
