// Package cluster manages the Kind cluster that the lab runs in: it makes the cluster,
// repairs one that an interrupted run has left, loads images into it and deletes it.
//
// The package does not talk to the Kubernetes API from outside. kubectl runs inside the
// control-plane node, through the container runtime. So the runtime may be on this
// machine, on another one or inside a container, and no kubeconfig is written on the
// host.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
)

// DefaultName is the name of the lab's cluster unless told otherwise.
const DefaultName = "lgtm-lab"

// ErrAbsent says that there is no cluster of that name.
var ErrAbsent = errors.New("there is no such cluster")

// Config describes a cluster. An existing cluster can be looked at with Name alone.
type Config struct {
	// Name is the cluster's; its nodes are containers whose names begin with it.
	Name string
	// Kind is Kind's own configuration, the contents of config/kubernetes/kind.yaml.
	Kind []byte
	// NodeImage is the reference of the nodes' image.
	NodeImage string
	// NodeArchive is a file, as `docker save` writes it, with the nodes' image. It is
	// loaded when the runtime does not have the image. Without a file the runtime pulls
	// the image.
	NodeArchive string
	// Workers is the number of nodes besides the control plane.
	Workers int
	// Listen is the host's address that ports are published on; empty keeps the address
	// of the configuration.
	Listen string
	// Ports are the host's ports by the node's port that they lead to. They replace
	// the ports of the configuration; with 0 the runtime picks one. A node's port that
	// the configuration does not publish is an error, except [APIPort]: when Ports does
	// not name it, the runtime picks a port for the API server, on the loopback address.
	Ports map[int]int
	// Recreate lets Ensure replace a cluster that was made with other settings or does
	// not come to life. The cluster's data is then lost.
	Recreate bool
	// Progress gets the lines of progress. It may be nil.
	Progress func(line string)
}

// Cluster is a cluster that may or may not exist.
type Cluster struct {
	Config
	docker docker
	kind   provider
	limits limits
	// hold is [hold]; tests replace it.
	hold func(ctx context.Context, name, image string) (release func(), err error)

	mu    sync.Mutex
	nodes []nodes.Node
}

// provider has the methods of Kind's provider that this package uses.
type provider interface {
	Create(name string, options ...cluster.CreateOption) error
	ListNodes(name string) ([]nodes.Node, error)
}

// New returns a handle on the cluster and does nothing else. The cluster's runtime is the
// one that the docker command talks to (DOCKER_HOST, or its context).
func New(cfg Config) *Cluster {
	if cfg.Name == "" {
		cfg.Name = DefaultName
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	c := &Cluster{Config: cfg, docker: command, limits: usual, hold: hold}
	c.kind = cluster.NewProvider(cluster.ProviderWithDocker(), cluster.ProviderWithLogger(logger{c.Progress}))
	return c
}

func (c *Cluster) say(format string, args ...any) { c.Progress(fmt.Sprintf(format, args...)) }

// controlPlane returns the name of the node that kubectl runs in.
func (c *Cluster) controlPlane() string { return c.Name + "-control-plane" }

// listNodes returns the cluster's nodes, the control plane first. It fails with
// ErrAbsent when there is no control plane.
func (c *Cluster) listNodes() ([]nodes.Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.nodes) > 0 {
		return c.nodes, nil
	}
	found, err := c.kind.ListNodes(c.Name)
	if err != nil {
		return nil, fmt.Errorf("listing the nodes of the cluster %s: %w", c.Name, quoted(err))
	}
	for i, n := range found {
		if n.String() == c.controlPlane() {
			found[0], found[i] = found[i], found[0]
			c.nodes = found
			return found, nil
		}
	}
	return nil, fmt.Errorf("cluster %s: %w", c.Name, ErrAbsent)
}

// forget drops the list of nodes, after nodes were made or deleted.
func (c *Cluster) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = nil
}
