package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
)

// client runs the user's kubectl, with the user's kubeconfig, against one context of it.
type client struct {
	// context is the context's name. It is given to every call, so that another program
	// that changes the current context in the meantime changes nothing here.
	context string
}

var _ deploy.Scoped = client{}

// Namespaces implements [deploy.Scoped].
func (c client) Namespaces() []string { return Namespaces() }

// Kubectl implements [deploy.Kubectl].
func (c client) Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := c.KubectlTo(ctx, &out, stdin, args...)
	return out.Bytes(), err
}

// endWithin is how long a kubectl that was interrupted may take to end.
const endWithin = 5 * time.Second

// KubectlTo implements [deploy.Kubectl].
func (c client) KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	program, err := exec.LookPath("kubectl")
	if err != nil {
		return fmt.Errorf("the target kubernetes works through your own kubectl, which is not on PATH (https://kubernetes.io/docs/tasks/tools): %w", err)
	}
	line := args
	if c.context != "" {
		line = append([]string{"--context=" + c.context}, args...)
	}
	cmd := exec.CommandContext(ctx, program, line...)
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) == nil {
			return nil
		}
		return cmd.Process.Kill() // Windows knows no such signal
	}
	cmd.WaitDelay = endWithin
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, w, &said
	err = cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	return &failure{line: args, said: strings.Join(tail.Lines(said.String(), 8), "\n"), err: err}
}

// failure is a call of kubectl that has failed.
type failure struct {
	line []string
	said string // the end of its standard error
	err  error
}

// Error implements error.
func (f *failure) Error() string {
	const most = 6
	line := strings.Join(f.line[:min(len(f.line), most)], " ")
	if f.said == "" {
		return fmt.Sprintf("kubectl %s: %v", line, f.err)
	}
	return fmt.Sprintf("kubectl %s: %s", line, f.said)
}

// Unwrap returns the error of the process.
func (f *failure) Unwrap() error { return f.err }

// exitCode returns the exit code of the kubectl that err is about; -1 for another error.
func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return -1
}

// isForbidden tells whether the user has no right to what was asked.
func isForbidden(err error) bool { return err != nil && strings.Contains(err.Error(), "(Forbidden)") }
