// Package cluster keeps the Kind cluster that the lab runs in: it makes it,
// repairs what an interrupted run has left, loads images into it and deletes it.
//
// Nothing here talks to the Kubernetes API from outside. kubectl runs inside the
// control-plane node, through the container runtime, so that a runtime on this
// machine, on another one and one inside a container are the same, and no
// kubeconfig is written on the host.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
)

// DefaultName is the name of the lab's cluster unless another is asked for.
const DefaultName = "lgtm-lab"

// ErrAbsent says that there is no cluster of that name.
var ErrAbsent = errors.New("there is no such cluster")

// Config describes a cluster. Only Name is needed to look at one that exists.
type Config struct {
	// Name is the cluster's; its nodes are containers whose names begin with it.
	Name string
	// Kind is Kind's own configuration, the contents of config/kubernetes/kind.yaml.
	Kind []byte
	// NodeImage is the reference of the nodes' image.
	NodeImage string
	// NodeArchive is a file, as `docker save` writes it, that the node image is
	// loaded from when the runtime does not have it. Empty: the runtime pulls it.
	NodeArchive string
	// Workers is the number of nodes besides the control plane.
	Workers int
	// Listen is the host's address that ports are published on; empty leaves what
	// the configuration says.
	Listen string
	// Ports are the host's ports by the node's port that they lead to; they replace
	// those of the configuration, and 0 is one that the runtime picks. A node's
	// port that the configuration does not publish is an error, unless it is
	// [APIPort]: without one here the API server is at a port of the runtime's
	// choice, on the loopback address.
	Ports map[int]int
	// Recreate lets Ensure delete, with all data in it, a cluster that was made with
	// other settings or does not come to life, and make it anew.
	Recreate bool
	// Progress is told what is being done, a line at a time. It may be nil.
	Progress func(line string)
}

// Cluster is a cluster that may or may not exist.
type Cluster struct {
	Config
	docker docker
	kind   provider
	limits limits
	// hold is [hold], but in tests.
	hold func(ctx context.Context, name, image string) (release func(), err error)

	mu    sync.Mutex
	nodes []nodes.Node
}

// provider is what is used of Kind's own.
type provider interface {
	Create(name string, options ...cluster.CreateOption) error
	ListNodes(name string) ([]nodes.Node, error)
}

// New returns a handle of the cluster; it does nothing yet. The cluster's
// runtime is the one that the docker command talks to (DOCKER_HOST, or its context).
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

// controlPlane is the name of the node that kubectl runs in.
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

// forget drops what is known of the nodes, after they were made or deleted.
func (c *Cluster) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = nil
}

// Kubectl runs kubectl in the control-plane node with the administrator's rights
// and returns what it prints. stdin may be nil. An error quotes what kubectl has
// written to its standard error.
func (c *Cluster) Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := c.KubectlTo(ctx, &out, stdin, args...)
	return out.Bytes(), err
}

// KubectlTo is Kubectl for output that is long or comes slowly: it goes to w as
// it is printed.
func (c *Cluster) KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	found, err := c.listNodes()
	if err != nil {
		return err
	}
	args = append([]string{"--kubeconfig=/etc/kubernetes/admin.conf"}, args...)
	command := append([]string{"kubectl"}, args...)
	if stdin == nil {
		// An exec that is interrupted leaves its process behind in the node. This one
		// ends with its standard input, which ends with the exec.
		hangUp, never := io.Pipe()
		defer never.Close()
		stdin, command = hangUp, append([]string{"sh", "-c", endWithInput, "sh"}, command...)
	}
	if err := inNode(ctx, found[0], w, stdin, command[0], command[1:]...); err != nil {
		return fmt.Errorf("kubectl %s: %w", summary(args[1:]), err)
	}
	return nil
}

// endWithInput is a shell script that runs its arguments as a command until the
// command ends, or standard input does. Its exit code is the command's.
const endWithInput = `exec 3<&0
"$@" </dev/null 3<&- &
command=$!
{ cat <&3; kill $command; } >/dev/null 2>&1 &
wait $command`

// inNode runs a command in a node. The error says why the command failed in its
// own words.
func inNode(ctx context.Context, n nodes.Node, w io.Writer, stdin io.Reader, name string, args ...string) error {
	var complaint bytes.Buffer
	cmd := n.CommandContext(ctx, name, args...).SetStdout(w).SetStderr(&complaint)
	if stdin != nil {
		cmd = cmd.SetStdin(stdin)
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	if said := lastLines(complaint.String(), 8); said != "" {
		return errors.New(said)
	}
	if run := exec.RunErrorForError(err); run != nil && run.Inner != nil {
		err = run.Inner
	}
	return fmt.Errorf("%s in %s: %w", name, n, err)
}

// quoted replaces Kind's error, which names the command alone, by one that says
// what the command has printed.
func quoted(err error) error {
	run := exec.RunErrorForError(err)
	if run == nil {
		return err
	}
	if said := lastLines(string(run.Output), 15); said != "" {
		return fmt.Errorf("%w\n%s", err, said)
	}
	return err
}

// lastLines is the end of what a command has printed.
func lastLines(text string, n int) string { return strings.Join(tail.Lines(text, n), "\n") }

// summary is the beginning of a command line, for a message.
func summary(args []string) string {
	const most = 6
	if len(args) > most {
		return strings.Join(args[:most], " ") + " …"
	}
	return strings.Join(args, " ")
}
