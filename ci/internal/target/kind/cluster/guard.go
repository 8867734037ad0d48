package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// guardLabel marks the container that [Cluster.Guard] runs, with the cluster's name.
const guardLabel = "lgtm-lab.guard"

// releaseWithin bounds the wait until a guard's container ends; after that the container is
// removed by force.
const releaseWithin = 5 * time.Second

// guardName returns the name of the container that says "a caller is at work on this
// cluster". The runtime gives a name to only one container, whichever machine, checkout or
// container the caller is in.
func (c *Cluster) guardName() string { return c.Name + "-guard" }

// Guard keeps every other caller from the cluster until release is called. While another
// caller has the cluster, Guard waits, and calls waiting once.
//
// The guard is a container in the runtime that lives as long as this program does. It
// reads from this program's pipe, so it ends when this program ends, even by a crash, and
// the runtime then removes it. It is made from the nodes' image, because the runtime has
// that image already.
func (c *Cluster) Guard(ctx context.Context, waiting func()) (release func(), err error) {
	image, err := c.guardImage(ctx)
	if err != nil {
		return nil, err
	}
	for told := false; ; {
		release, err := c.hold(ctx, c.guardName(), image)
		switch {
		case err == nil:
			return release, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !errors.Is(err, errHeld):
			return nil, explainCreate(fmt.Errorf("keeping other callers from the cluster %s: %w", c.Name, err))
		}
		if !told {
			told = true
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(c.limits.every):
		}
	}
}

// guardImage returns an image that the runtime has: that of the cluster's nodes, or the
// image from which the nodes will be made.
func (c *Cluster) guardImage(ctx context.Context) (string, error) {
	found, err := c.containers(ctx)
	if err != nil {
		return "", err
	}
	if len(found) > 0 && c.hasImage(ctx, found[0].Image) {
		return found[0].Image, nil
	}
	return c.ensureNodeImage(ctx)
}

// errHeld says that another caller has the guard.
var errHeld = errors.New("another caller has it")

// hold starts the guard's container and returns once it runs.
func hold(ctx context.Context, name, image string) (release func(), err error) {
	cmd := exec.Command("docker", "run", "--rm", "--interactive", "--name", name, "--label", guardLabel+"="+name,
		"--network", "none", "--entrypoint", "cat", image)
	ownGroup(cmd) // keep the guard on Ctrl-C, while this program finishes its work
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var failure error // once ended is closed
	ended := make(chan struct{})
	lives := make(chan bool, 1)
	go func() {
		_, _ = stdin.Write([]byte("alive\n"))
		_, err := bufio.NewReader(stdout).ReadString('\n')
		lives <- err == nil
		failure = cmd.Wait()
		close(ended)
	}()
	end := sync.OnceFunc(func() {
		_ = stdin.Close()
		select {
		case <-ended:
		case <-time.After(releaseWithin):
			_ = cmd.Process.Kill()
			clear, cancel := context.WithTimeout(context.Background(), releaseWithin)
			defer cancel()
			_, _ = command(clear, nil, "rm", "--force", name)
		}
	})
	select {
	case <-ctx.Done():
		end()
		return nil, context.Cause(ctx)
	case ok := <-lives:
		if ok {
			return end, nil
		}
	}
	<-ended
	said := lastLines(complaint.String(), 4)
	if strings.Contains(said, "is already in use") {
		return nil, errHeld
	}
	return nil, fmt.Errorf("docker run %s: %w: %s", name, failure, said)
}

// Guarded tells whether a caller is at work on the cluster now.
func (c *Cluster) Guarded(ctx context.Context) (bool, error) {
	out, err := c.docker(ctx, nil, "ps", "--quiet", "--filter", "label="+guardLabel+"="+c.guardName())
	return strings.TrimSpace(string(out)) != "", err
}
