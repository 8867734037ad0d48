// Package cluster manages the Kind cluster that the lab runs in: it makes the cluster,
// repairs one that an interrupted run has left, loads images into it and deletes it.
//
// The package does not talk to the Kubernetes API from outside. kubectl runs inside the
// control-plane node, through the container runtime. So the runtime may be on this
// machine, on another one or inside a container, and no kubeconfig is written on the
// host.
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

// Kubectl runs kubectl in the control-plane node with the administrator's rights
// and returns its standard output. stdin may be nil. An error quotes kubectl's standard
// error.
func (c *Cluster) Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := c.KubectlTo(ctx, &out, stdin, args...)
	return out.Bytes(), err
}

// KubectlTo is Kubectl for output that is long or comes slowly: it writes the output to w
// at once.
func (c *Cluster) KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	found, err := c.listNodes()
	if err != nil {
		return err
	}
	args = append([]string{"--kubeconfig=/etc/kubernetes/admin.conf"}, args...)
	command := append([]string{"kubectl"}, args...)
	if stdin == nil {
		// An interrupted exec leaves its process behind in the node. So this process
		// ends when its standard input ends, and that ends with the exec.
		hangUp, never := io.Pipe()
		defer never.Close()
		stdin, command = hangUp, append([]string{"sh", "-c", endWithInput, "sh"}, command...)
	}
	if err := inNode(ctx, found[0], w, stdin, command[0], command[1:]...); err != nil {
		return fmt.Errorf("kubectl %s: %w", summary(args[1:]), err)
	}
	return nil
}

// endWithInput is a shell script that runs its arguments as a command. It ends the command
// when standard input ends. Its exit code is the command's.
const endWithInput = `exec 3<&0
"$@" </dev/null 3<&- &
command=$!
{ cat <&3; kill $command; } >/dev/null 2>&1 &
wait $command`

// inNode runs a command in a node. The error quotes the command's standard error.
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

// quoted adds the command's output to Kind's error, which names only the command.
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

// lastLines returns the last n lines of a command's output.
func lastLines(text string, n int) string { return strings.Join(tail.Lines(text, n), "\n") }

// summary returns the beginning of a command line, for a message.
func summary(args []string) string {
	const most = 6
	if len(args) > most {
		return strings.Join(args[:most], " ") + " …"
	}
	return strings.Join(args, " ")
}
