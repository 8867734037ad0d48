package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
)

// Kubectl runs kubectl in the control-plane node with the administrator's rights
// and returns its standard output. stdin may be nil. An error quotes kubectl's standard
// error.
func (c *Cluster) Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := c.KubectlTo(ctx, &out, stdin, args...)
	return out.Bytes(), err
}

// KubectlTo is Kubectl for output that is long or comes slowly: it writes the output to w
// at once.
func (c *Cluster) KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	found, err := c.listNodes()
	if err != nil {
		return err
	}
	args = append([]string{"--kubeconfig=/etc/kubernetes/admin.conf"}, args...)
	command := append([]string{"kubectl"}, args...)
	var complaint complaint
	if stdin == nil {
		// An interrupted exec leaves its process behind in the node. So this process
		// ends when its standard input ends, and that ends with the exec. It is a pipe of the
		// system, which the exec reads by itself: os/exec waits for any other reader to end.
		held, hold, err := os.Pipe()
		if err != nil {
			return err
		}
		defer held.Close()
		defer hold.Close()
		defer context.AfterFunc(ctx, func() { _ = hold.Close() })()
		complaint.ended = func() { _ = hold.Close() }
		stdin, command = held, append([]string{"sh", "-c", endWithInput, "sh"}, command...)
	}
	if err := runInNode(ctx, found[0], w, &complaint, stdin, command[0], command[1:]...); err != nil {
		return fmt.Errorf("kubectl %s: %w", summary(args[1:]), err)
	}
	return nil
}

// endWithInput is a shell script that runs its arguments as a command. It ends the command
// when standard input ends. Its exit code is the command's. Its last word on standard error
// is endMark.
const endWithInput = `exec 3<&0
"$@" </dev/null 3<&- &
command=$!
{ cat <&3; kill $command; } >/dev/null 2>&1 &
wait $command
code=$?
echo '` + endMark + `' >&2
exit $code`

// endMark says that the command of endWithInput has ended. An exec does not always return by
// itself then: one through a socket that Dagger forwards goes on until its input ends, too.
const endMark = "[lgtm-lab: the command has ended]"

// complaint has a command's standard error, and calls ended, if that is set, at endMark.
type complaint struct {
	said  bytes.Buffer
	ended func()
}

func (c *complaint) Write(p []byte) (int, error) {
	c.said.Write(p) // never fails
	if before, ok := bytes.CutSuffix(c.said.Bytes(), []byte(endMark+"\n")); ok && c.ended != nil {
		c.said.Truncate(len(before))
		c.ended()
	}
	return len(p), nil
}

// inNode runs a command in a node. The error quotes the command's standard error.
func inNode(ctx context.Context, n nodes.Node, w io.Writer, name string, args ...string) error {
	return runInNode(ctx, n, w, &complaint{}, nil, name, args...)
}

// runInNode is inNode with a complaint of the caller's.
func runInNode(ctx context.Context, n nodes.Node, w io.Writer, complaint *complaint, stdin io.Reader, name string, args ...string) error {
	cmd := n.CommandContext(ctx, name, args...).SetStdout(w).SetStderr(complaint)
	if stdin != nil {
		cmd = cmd.SetStdin(stdin)
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	if said := lastLines(complaint.said.String(), 8); said != "" {
		return errors.New(said)
	}
	if run := exec.RunErrorForError(err); run != nil && run.Inner != nil {
		err = run.Inner
	}
	return fmt.Errorf("%s in %s: %w", name, n, err)
}

// quoted adds the command's output to Kind's error, which names only the command.
func quoted(err error) error {
	run := exec.RunErrorForError(err)
	if run == nil {
		return err
	}
	if said := lastLines(string(run.Output), 15); said != "" {
		return fmt.Errorf("%w\n%s", err, said)
	}
	return err
}

// lastLines returns the last n lines of a command's output.
func lastLines(text string, n int) string { return strings.Join(tail.Lines(text, n), "\n") }

// summary returns the beginning of a command line, for a message.
func summary(args []string) string {
	const most = 6
	if len(args) > most {
		return strings.Join(args[:most], " ") + " …"
	}
	return strings.Join(args, " ")
}
