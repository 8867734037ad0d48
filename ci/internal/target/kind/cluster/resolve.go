package cluster

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// Resolve returns the first IPv4 address that a name has in the control-plane node.
func (c *Cluster) Resolve(ctx context.Context, host string) (string, error) {
	found, err := c.listNodes()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := inNode(ctx, found[0], &out, "getent", "ahostsv4", host); err != nil {
		return "", fmt.Errorf("looking %s up in %s: %w", host, found[0], err)
	}
	address, _, _ := strings.Cut(out.String(), " ")
	return address, nil
}
