package cluster

import (
	"context"
	"maps"
	"strings"
)

// Made has the settings that an existing cluster was made with.
type Made struct {
	// Workers is the number of nodes besides the control plane.
	Workers int
	// Ports are the host's ports by the node's.
	Ports map[int]int
	// Listen is the host's address that the ports are published on; "" without ports.
	Listen string
}

// Made reads the settings of the existing cluster. It returns nil when there is no cluster,
// or when the cluster was never whole.
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

// otherImage says in words that the nodes were made from another image than wanted; it
// returns "" when they were made from that image. It compares digests when both references
// have one, else tags: a node whose image came out of an archive has no digest.
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
