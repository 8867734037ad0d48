package gotool

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Command is one call of the go command.
type Command struct {
	Dir  string   // where it runs; "" is the working directory
	Args []string // without the "go" in front
	Env  []string // settings on top of [Env]
	// Stdout and Stderr are called with each line that the command prints, one call at
	// a time. nil drops the lines.
	Stdout, Stderr func(line string)
	// Attended is for `go run` of a program that ends when its standard input does.
	// Run closes it when ctx ends, and it closes by itself when this process is
	// killed. `go run` passes no signal on.
	Attended bool
}

// ErrNoGo is the error of Installed, Run and Output where there is no go command.
var ErrNoGo = errors.New("the go command is not on PATH; install Go from https://go.dev/dl")

// Installed returns [ErrNoGo] if there is no go command, else nil.
func Installed() error {
	if _, err := exec.LookPath("go"); err != nil {
		return ErrNoGo
	}
	return nil
}

// Run runs the command to its end. When ctx ends, Run interrupts the command with
// all that it has started, kills what is left after 10 s, and returns the cause.
func (c Command) Run(ctx context.Context) error {
	if err := Installed(); err != nil {
		return err
	}
	return runTree(ctx, tree{
		dir: c.Dir, env: Env(c.Env...), args: append([]string{"go"}, c.Args...), attended: c.Attended,
		stdout: orDrop(c.Stdout), stderr: orDrop(c.Stderr),
	})
}

func orDrop(line func(string)) func(string) {
	if line == nil {
		return func(string) {}
	}
	return line
}

// Output runs a go command and returns what it prints on standard output. If it
// fails, Output returns what it printed on standard error, and the error.
func Output(ctx context.Context, dir string, args ...string) (string, error) {
	var stdout, stderr lines
	err := Command{Dir: dir, Args: args, Stdout: stdout.add, Stderr: stderr.add}.Run(ctx)
	if err != nil {
		return strings.TrimSpace(stderr.String()), err
	}
	return stdout.String(), nil
}

// lines collects output.
type lines struct{ strings.Builder }

func (l *lines) add(line string) { fmt.Fprintln(l, line) }

// tree is a command that starts others, like `go build` and its compilers.
type tree struct {
	dir            string
	env            []string
	args           []string // args[0] is looked up on PATH
	attended       bool
	stdout, stderr func(line string)
	grace          time.Duration // 0 is interruptGrace
}

// interruptGrace is how long an interrupted tree may take to clean up after
// itself before it is killed. go build takes less than a second.
const interruptGrace = 10 * time.Second

// runTree runs t to its end. When ctx is cancelled, the whole tree is
// interrupted, and what is left of it killed before runTree returns. stdout and
// stderr are never called at the same time.
func runTree(ctx context.Context, t tree) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cmd := exec.Command(t.args[0], t.args[1:]...)
	cmd.Dir, cmd.Env = t.dir, t.env
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	ask := group.interrupt
	if t.attended {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		defer stdin.Close()
		ask = func(g group) {
			_ = stdin.Close()
			g.askToEnd()
		}
	}
	// Linux ties the signal that a child gets at its parent's death to the
	// thread that started it: the thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	group, err := startGroup(cmd)
	if err != nil {
		return err
	}
	defer group.close()

	var serial sync.Mutex
	var readers sync.WaitGroup
	read := func(r io.Reader, f func(string)) {
		readers.Go(func() {
			eachLine(r, func(line string) {
				serial.Lock()
				defer serial.Unlock()
				f(line)
			})
		})
	}
	read(stdout, t.stdout)
	read(stderr, t.stderr)

	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		ask(group)
		select {
		case <-over:
		case <-time.After(cmp.Or(t.grace, interruptGrace)):
		}
		group.kill()
	})
	readers.Wait()
	err = cmd.Wait()
	close(over)
	watcher.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// eachLine calls f for every line of r, however long, until r ends. Empty lines
// are left out.
func eachLine(r io.Reader, f func(line string)) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			f(line)
		}
		if err != nil {
			return
		}
	}
}
