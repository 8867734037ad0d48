package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// buildServices compiles services of the checkout into the folder, as `lab up` does.
func buildServices(ctx context.Context, root, dir string, names ...string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./services/"+name)
	}
	if out, err := gotool.Output(ctx, root, args...); err != nil {
		return fmt.Errorf("building the services: %w\n%s", err, out)
	}
	return nil
}

// program is a server that the bench has started.
type program struct {
	group
	url string
	// profiles is the base URL of the program's profiles; "" without any.
	profiles string
	cmd      *exec.Cmd
	output   bytes.Buffer
	ended    chan struct{}
}

// startProgram starts a server and waits until the path answers. The server's log is
// dropped, as far as it is on standard output. The caller must stop the program.
func startProgram(ctx context.Context, name, url, ready string, cmd *exec.Cmd) (*program, error) {
	p := &program{group: group{name: name}, url: url, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.output
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.pid = cmd.Process.Pid
	go func() { _ = cmd.Wait(); close(p.ended) }()
	if err := p.await(ctx, ready); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// startTimeout bounds how long a server of the bench may take to answer.
const startTimeout = 20 * time.Second

func (p *program) await(ctx context.Context, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if answers(ctx, p.url+ready) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended while it started: %s", p.name, &p.output)
		default:
		}
		if err := wait.For(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%s does not answer at %s: %w", p.name, p.url+ready, err)
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop ends the program and all that it has started: first by asking, after 5 s by force.
func (p *program) stop() {
	askToEnd(p.cmd)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		kill(p.cmd)
		<-p.ended
	}
}

// freePort returns a port of this machine on which no program listens now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// folder makes a folder for a measurement; remove deletes it.
func folder() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "lgtm-lab-bench-")
	if err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// errSkip is the reason why a figure cannot be measured here, with what to do about it.
type errSkip string

func (e errSkip) Error() string { return string(e) }

// asSkip returns the reason of a skip.
func asSkip(err error) (string, bool) {
	skip, ok := errors.AsType[errSkip](err)
	return string(skip), ok
}
