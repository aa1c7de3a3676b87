//go:build !linux

package main

import (
	"errors"
	"os"
)

func openTun(string) (*os.File, error) { return nil, errors.New("only Linux has them") }
