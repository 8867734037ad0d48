package cluster

import "context"

// Delete removes the cluster with everything that belongs to it: containers, their
// volumes, and Kind's network if Ensure has made it and no other container uses it.
// Without a cluster it does nothing.
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
