package stack

import (
	"cmp"
	"context"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// tree is a command that starts others, like `go build` and its compilers.
type tree struct {
	dir            string
	env            []string
	args           []string // args[0] is looked up on PATH
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
	if err := ctx.Err(); err != nil {
		return err
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
		group.interrupt()
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
