// Command lab brings the observability lab up, sends it traffic and proves that
// its telemetry flows.
//
//	go run ./ci/lab up        # bring the lab up on this machine; Ctrl-C ends it
//	go run ./ci/lab traffic   # send requests to it
//	go run ./ci/lab verify    # prove that every one of them was recorded
//	go run ./ci/lab --help    # everything else
//
// It exits with 0 when all is well, 1 when something failed or a check did not
// hold, and 2 when the command line was wrong. `go run` turns every exit code but
// 0 into 1: build the command where the difference matters.
//
// Each file here is one command: its flags, one call, and one way to print.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func main() {
	ctx, stop := interrupt.Notify(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// errFailed is the error of a command that has already printed the problem.
var errFailed = errors.New("failed")

// errNoServices says that the lab has nothing that takes the command's requests.
var errNoServices = fmt.Errorf("this lab is up without the two sample services, and this command sends requests to them; `%s up` without --no-services adds them", command.Name())

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	e := &env{getenv: getenv, stdout: stdout, stderr: stderr}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errFailed), errors.Is(err, syscall.EPIPE): // such as `lab status | head -1`
		return 1
	case isUsage(err):
		fmt.Fprintf(stderr, "lab: %v\nRun `lab --help`, or `lab COMMAND --help`.\n", err)
		return 2
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "lab: interrupted")
		return 1
	}
	fmt.Fprintf(stderr, "lab: %v\n", err)
	return 1
}

// isUsage tells whether the command line was wrong. Cobra's own errors about flags
// and commands have no type, only these beginnings.
func isUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage) ||
		errors.Is(err, target.ErrUnknownComponent) || errors.Is(err, target.ErrNotHere) ||
		strings.HasPrefix(err.Error(), "unknown command")
}
