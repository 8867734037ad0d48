package cluster

import (
	"context"
	"fmt"
	"time"
)

// Exists tells whether the cluster has any node, whether it is whole, stopped or half made.
func (c *Cluster) Exists(ctx context.Context) (bool, error) {
	found, err := c.containers(ctx)
	return len(found) > 0, err
}

// HostPort returns the host's port that leads to the node's port. It fails with
// ErrAbsent when there is no cluster, and returns 0 when the port is not published.
func (c *Cluster) HostPort(ctx context.Context, inside int) (int, error) {
	found, err := c.containers(ctx)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("cluster %s: %w", c.Name, ErrAbsent)
	}
	return port(found, inside), err
}

// NodesStarted returns when each node was started last, by its name.
func (c *Cluster) NodesStarted(ctx context.Context) (map[string]time.Time, error) {
	found, err := c.containers(ctx)
	started := map[string]time.Time{}
	for _, n := range found {
		started[n.Name] = n.Started
	}
	return started, err
}
