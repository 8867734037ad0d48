package cluster

import (
	"context"
	"fmt"
)

// Exists tells whether there is anything of the cluster: whole, stopped or half
// made.
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

// Delete removes the cluster with all that belongs to it: containers, their
// volumes, and Kind's network when Ensure has made it and nothing else uses it.
// When there is nothing, it does nothing.
func (c *Cluster) Delete(ctx context.Context) error {
	found, err := c.containers(ctx)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		args := []string{"rm", "--force", "--volumes"}
		for _, n := range found {
			args = append(args, n.Name)
		}
		if _, err := c.docker(ctx, nil, args...); err != nil {
			return err
		}
	}
	c.forget()
	return c.deleteNetwork(ctx)
}
