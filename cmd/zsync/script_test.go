package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this test binary be the program itself: scripts and kill_test.go
// run it as zsync, in processes of their own. With the race detector a process
// sleeps for a second before it exits, which these, hundreds, are told not to.
func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0") // fails only for names that no system takes
	}
	testscript.Main(m, map[string]func(){"zsync": main})
}

// TestScripts plays testdata/script: real devices, real sockets on loopback.
//
// Beside testscript's own commands there are
//
//	device NAME...          gives devices a home ($NAME), a free address
//	                        ($NAME_listen) and keys ($NAME_key)
//	up NAME...              waits until a device answers
//	eventually RE COMMAND   runs a command until what it prints matches
//	[!] same DIR DIR        compares two trees: names, modes, contents, times
//	[!] shape [-exact] FILE WANT
//	                        compares the keys and types of JSON, line by line
//	noise FILE KIB          writes octets that compress to nothing
//	octal MODE FILE...      checks permissions
//	code N COMMAND          runs a command that ends with that exit code
//	tidy                    checks that stderr is sentences and hints
//	touch TIME FILE...      sets the time of modification
//	half DIR KIB            waits until that much of a big file is in staging
//	secretless KEYFILE      checks that nothing shows what is in the key file
//	rot FILE HOME           changes a file's bytes behind the back of a device that is
//	                        stopped, as a failing disk does
//	scribble [-short|-gone] DATABASE
//	                        overwrites pages of a database, or of those in a directory;
//	                        cuts it short; removes it
//	unnoticed HOME          has a home that was restored match itself, as the image of a
//	                        whole disk does
//	never RE COMMAND        runs a command for 3 s; nothing it prints matches
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"device": cmdDevice, "up": cmdUp, "eventually": cmdEventually, "same": cmdSame,
			"shape": cmdShape, "noise": cmdNoise, "octal": cmdOctal, "code": cmdCode, "tidy": cmdTidy,
			"touch": cmdTouch, "never": cmdNever, "half": cmdHalf, "secretless": cmdSecretless,
			"rot": cmdRot, "scribble": cmdScribble, "unnoticed": cmdUnnoticed,
		},
	})
}

// patience is how long a test waits for what has to come. It costs nothing where it
// comes, and a machine with other work is slow.
const patience = 2 * time.Minute

// setUpScript gives a script a directory whose name is short: the path of a Unix
// socket holds 107 octets.
func setUpScript(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		return err
	}
	env.Defer(func() { _ = os.RemoveAll(dir) }) // in the system's temporary directory
	env.Setenv("homes", dir)
	env.Setenv("HOME", dir)
	env.Setenv("XDG_DATA_HOME", filepath.Join(dir, "xdg"))
	return nil
}

func cmdDevice(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		home := filepath.Join(ts.Getenv("homes"), name)
		ts.Setenv(name, home)
		address, err := freeAddress()
		ts.Check(err)
		ts.Setenv(name+"_listen", address)
		ts.Check(ts.Exec("zsync", "init", "--home", home, "--name", name))
		ts.Setenv(name+"_key", keyText.FindString(ts.ReadFile("stdout")))
	}
}

var keyText = regexp.MustCompile(`zs1[a-z2-7]+`)

// ports counts the ports that the scripts of this process have taken.
var ports atomic.Int32

// freeAddress returns an address of loopback that nobody listens on. It is below
// those that the system gives to outgoing connections.
func freeAddress() (string, error) {
	for range 1000 {
		port := 20000 + (os.Getpid()*64+int(ports.Add(1)))%12000
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if listener, err := net.Listen("tcp", address); err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("no free port")
}

func cmdUp(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		eventually(ts, `"running":true`, "zsync", "status", "--json", "--home", ts.Getenv(name))
	}
}

func cmdEventually(ts *testscript.TestScript, _ bool, args []string) {
	eventually(ts, args[0], args[1], args[2:]...)
}

func eventually(ts *testscript.TestScript, pattern, program string, args ...string) {
	want := regexp.MustCompile("(?m)" + pattern)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if text, _ := inProcess(program, args); program == "zsync" && !want.MatchString(text) {
			continue
		}
		_ = ts.Exec(program, args...) // it may fail until it is ready
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	_ = ts.Exec(program, args...) // to show what it says
	ts.Fatalf("not within %s: %s\n%s%s", patience, pattern, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}

// inProcess runs zsync in this process, which costs a hundredth of starting one, and
// returns what it printed and its exit code. It is to ask the same thing again and
// again: its directory and its environment are not the script's.
func inProcess(program string, args []string) (printed string, code int) {
	if program != "zsync" {
		return "", exitOK
	}
	var stdout strings.Builder
	code = run(context.Background(), args, &stdout, io.Discard)
	return stdout.String(), code
}

// cmdNever runs a command for some seconds; what it prints must not match.
func cmdNever(ts *testscript.TestScript, _ bool, args []string) {
	unwanted := regexp.MustCompile("(?m)" + args[0])
	ts.Check(ts.Exec(args[1], args[2:]...))
	text := ts.ReadFile("stdout")
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if unwanted.MatchString(text) {
			ts.Fatalf("printed %s\n%s", args[0], text)
		}
		var code int
		if text, code = inProcess(args[1], args[2:]); code != exitOK {
			ts.Fatalf("exit code %d\n%s", code, text)
		}
	}
}

// cmdCode runs a command that has to end with the given exit code.
func cmdCode(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		if _, scanErr := fmt.Sscanf(err.Error(), "exit status %d", &got); scanErr != nil {
			ts.Fatalf("%v", err)
		}
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, not %s\n%s%s", got, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// cmdTidy checks what stderr says: whole sentences for a person, no secrets.
func cmdTidy(ts *testscript.TestScript, _ bool, _ []string) {
	for _, line := range strings.Split(strings.TrimSuffix(ts.ReadFile("stderr"), "\n"), "\n") {
		if !strings.HasPrefix(line, "zsync: ") && !strings.HasPrefix(line, "hint: ") {
			ts.Fatalf("no sentence and no hint: %q", line)
		}
		if strings.Contains(line, "goroutine") || strings.Contains(line, "0x") {
			ts.Fatalf("not for a person: %q", line)
		}
	}
}

func cmdOctal(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Lstat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, not %s", name, got, args[0])
		}
	}
}

func cmdTouch(ts *testscript.TestScript, _ bool, args []string) {
	at, err := time.Parse(time.RFC3339Nano, args[0])
	ts.Check(err)
	for _, name := range args[1:] {
		ts.Check(os.Chtimes(ts.MkAbs(name), at, at))
	}
}

func cmdNoise(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(writeNoise(ts.MkAbs(args[0]), int(parseKiB(ts, args[1]))))
}

func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	a, err := readTree(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := readTree(ts.MkAbs(args[1]))
	ts.Check(err)
	if diff := differ(a, b); neg == (diff == "") {
		ts.Fatalf("%s and %s: %d entries\n%s", args[0], args[1], len(a), diff)
	}
}
