package cluster

import (
	"context"
	"maps"
	"strings"
)

// Made is what a cluster that exists was made of.
type Made struct {
	// Workers is the number of nodes besides the control plane.
	Workers int
	// Ports are the host's ports by the node's.
	Ports map[int]int
	// Listen is the host's address that they are published on; "" without any.
	Listen string
}

// Made looks at the cluster that exists. It returns nil when there is none, or one
// that was never whole.
func (c *Cluster) Made(ctx context.Context) (*Made, error) {
	found, err := c.containers(ctx)
	if err != nil || len(found) == 0 || !c.marked(ctx) {
		return nil, err
	}
	m := &Made{Workers: len(found) - 1, Ports: map[int]int{}}
	for _, n := range found {
		maps.Copy(m.Ports, n.Ports)
		for inside, address := range n.Listen {
			if inside != APIPort {
				m.Listen = address
			}
		}
	}
	return m, nil
}

// otherImage says, in words, that the nodes are of another image than wanted; "" when
// they are of that one. References are compared by digest where both have one, else by
// tag: a node whose image came out of an archive has no digest.
func otherImage(found []container, want string) string {
	if want == "" || len(found) == 0 {
		return ""
	}
	have := found[0].Image
	haveTag, haveDigest, _ := strings.Cut(have, "@")
	wantTag, wantDigest, _ := strings.Cut(want, "@")
	same := haveTag == wantTag
	if haveDigest != "" && wantDigest != "" {
		same = haveDigest == wantDigest
	}
	if same {
		return ""
	}
	return "its nodes are of the image " + have + ", not " + want
}
