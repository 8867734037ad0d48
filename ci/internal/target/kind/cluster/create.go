package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"
)

// create makes the cluster. The runtime may still be making a node for a run that was
// killed a moment ago: the node's name is then taken, but the node cannot be seen yet.
// create waits for such a node and removes it.
func (c *Cluster) create(ctx context.Context) error {
	image, err := c.ensureNodeImage(ctx)
	if err != nil {
		return err
	}
	for begin, told := time.Now(), false; ; {
		if err := c.ensureNetwork(ctx); err != nil {
			return err
		}
		err := c.createOnce(ctx, image)
		if err == nil {
			c.forget()
			return c.mark(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return err
		case !inTheWay(err) || time.Since(begin) > c.limits.clear:
			return explainCreate(err)
		}
		if !told {
			told = true
			c.say("cluster: a node of an interrupted run is in the way; removing it")
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(c.limits.every):
		}
		if err := c.Delete(ctx); err != nil {
			return err
		}
	}
}

// createOnce lets Kind make the cluster. Kind cannot be stopped: when ctx ends, the next
// Ensure or Delete finds the unfinished cluster and removes it.
func (c *Cluster) createOnce(ctx context.Context, image string) error {
	cfg, err := c.kindConfig()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lgtm-lab-")
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		// Kind always writes a kubeconfig. This one is not needed.
		defer os.RemoveAll(dir)
		done <- c.kind.Create(c.Name,
			cluster.CreateWithV1Alpha4Config(cfg), cluster.CreateWithNodeImage(image),
			cluster.CreateWithKubeconfigPath(filepath.Join(dir, "config")))
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-done:
		return err
	}
}

// inTheWay tells whether a creation failed because nodes of that name exist.
func inTheWay(err error) bool {
	text := quoted(err).Error()
	return strings.Contains(text, "node(s) already exist") || strings.Contains(text, "is already in use by container")
}

// pullAdvice says what to do when the nodes' image cannot be pulled.
const pullAdvice = "The runtime cannot pull the node image. Give the image as a file (--archives DIR with node.tar), or name another image with --node-image."

// explainCreate adds advice to the errors of Kind that it knows.
func explainCreate(err error) error {
	err = quoted(err)
	for _, known := range []struct{ sign, advice string }{
		{"port is already allocated", "Another container has the port: `docker ps` shows which. Choose another port with --port frontend=8081 or --port grafana=3001."},
		{"address already in use", "Another program listens on the port. Choose another port with --port frontend=8081 or --port grafana=3001."},
		{"no space left on device", "The container runtime's disk is full: `docker system df` shows what uses it."},
		{"Unable to find image", pullAdvice},
		{"failed to pull image", pullAdvice},
		{"could not find a log line that matches", "The node's init did not come up. Usually the inotify limits are too low (sysctl fs.inotify.max_user_instances=512), or the runtime does not allow privileged containers."},
	} {
		if strings.Contains(err.Error(), known.sign) {
			return fmt.Errorf("making the cluster: %w\n%s", err, known.advice)
		}
	}
	return fmt.Errorf("making the cluster: %w", err)
}
