package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/exec"
)

// fakeRuntime is a container runtime with the nodes of one cluster. It answers the
// docker command lines that this package uses, and plays Kind and the nodes.
type fakeRuntime struct {
	mu sync.Mutex
	// status is the status of each node, "" for a node that is not there.
	status map[string]string
	ports  string // of the control plane, as HostConfig.PortBindings
	marked bool
	image  string // from which the nodes are made
	// whole says that kubectl finds a whole cluster.
	whole bool
	// network is "", "lab" when this package has made it, or "other".
	network string
	// otherInNetwork says that another container is in the network.
	otherInNetwork bool
	images         map[string]string // ids by reference
	info           string
	infoErr        error
	ps             string
	published      string // what `docker port` prints
	cpErr          error  // of `docker cp`
	pullErr        error  // of `docker pull`
	createErr      []error
	// inNode answers commands in a node, except kubectl.
	inNode func(stdin io.Reader, line string) (string, error)

	calls []string
}

func newFake() *fakeRuntime {
	return &fakeRuntime{status: map[string]string{}, image: "kindest/node:v1.34.4", images: map[string]string{}, ports: `{"30080/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`,
		published: "127.0.0.1:43567\n[::1]:43567\n",
		info:      `{"MemTotal":8000000000,"OSType":"linux","CgroupVersion":"2"}`}
}

const kindYAML = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraPortMappings:
      - {containerPort: 30080, hostPort: 8080, listenAddress: 127.0.0.1}
`

// cluster is a cluster in the runtime.
func (f *fakeRuntime) cluster(t *testing.T, change func(*Config)) *Cluster {
	cfg := Config{Name: "lab", Kind: []byte(kindYAML), NodeImage: "kindest/node:v1.34.4", Progress: func(line string) { t.Log(line) }}
	if change != nil {
		change(&cfg)
	}
	c := New(cfg)
	c.docker, c.kind = f.docker, f
	c.limits = limits{start: 20 * time.Millisecond, answer: 20 * time.Millisecond, clear: 20 * time.Millisecond, every: time.Millisecond}
	return c
}

func (f *fakeRuntime) docker(_ context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := strings.Join(args, " ")
	f.calls = append(f.calls, line)
	is := func(begin string) bool { return strings.HasPrefix(line, begin) }
	out := ""
	switch {
	case is("info"):
		return []byte(f.info), f.infoErr
	case is("version"):
		out = "arm64\n"
	case is("ps -a --filter label="):
		for name := range f.status {
			out += name + "\n"
		}
	case is("ps -a --quiet --filter network="):
		if f.otherInNetwork {
			out = "abc\n"
		}
	case is("ps --format"):
		out = f.ps
	case is("inspect --type=container"):
		var parts []string
		for _, name := range args[2:] {
			parts = append(parts, fmt.Sprintf(`{"Name":"/%s","State":{"Status":%q},"HostConfig":{"PortBindings":%s},"Config":{"Image":%q}}`, name, f.status[name], f.ports, f.image))
		}
		out = "[" + strings.Join(parts, ",") + "]"
	case is("port " + node + " 6443/tcp"):
		out = f.published
	case is("start"), is("unpause"):
		f.status[args[1]] = "running"
	case is("cp " + node + ":" + marker + " -"):
		switch {
		case f.cpErr != nil:
			return nil, f.cpErr
		case !f.marked:
			return nil, errors.New("Error response from daemon: Could not find the file " + marker + " in container " + node)
		}
	case is("exec") && strings.Contains(line, "touch "+marker):
		f.marked = true
	case is("rm --force --volumes"):
		for _, name := range args[3:] {
			delete(f.status, name)
		}
		f.marked, f.whole = false, false
	case is("network ls --filter label="):
		if f.network == "lab" {
			out = "id\n"
		}
	case is("network ls"):
		if f.network != "" {
			out = "id\n"
		}
	case is("network create"):
		f.network = "lab"
	case is("network inspect"):
		out = "1400\n"
	case is("network rm"):
		f.network = ""
	case is("image inspect"):
		id, ok := f.images[args[len(args)-1]]
		if !ok {
			return nil, errors.New("no such image")
		}
		out = id + "\n"
	case is("pull"):
		if f.pullErr != nil {
			return nil, f.pullErr
		}
		f.images[args[len(args)-1]] = "id"
	case is("load"):
		_, _ = io.Copy(io.Discard, stdin)
	default:
		return nil, fmt.Errorf("docker %s: the fake does not know this command", line)
	}
	return []byte(out), nil
}

// called counts the command lines that begin with the text.
func (f *fakeRuntime) called(begin string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.calls {
		if strings.HasPrefix(line, begin) {
			n++
		}
	}
	return n
}

// Create implements Kind's provider.
func (f *fakeRuntime) Create(name string, _ ...cluster.CreateOption) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "kind create "+name)
	if len(f.createErr) > 0 {
		err := f.createErr[0]
		f.createErr = f.createErr[1:]
		if err != nil {
			return err
		}
	}
	f.status[name+"-control-plane"] = "running"
	f.whole = true
	return nil
}

func (f *fakeRuntime) ListNodes(string) ([]nodes.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []nodes.Node
	for name := range f.status {
		all = append(all, fakeNode{f, name})
	}
	return all, nil
}

// fakeNode is a node of the fake cluster.
type fakeNode struct {
	runtime *fakeRuntime
	name    string
}

func (n fakeNode) String() string                 { return n.name }
func (n fakeNode) Role() (string, error)          { return "control-plane", nil }
func (n fakeNode) IP() (v4, v6 string, err error) { return "", "", nil }
func (n fakeNode) SerialLogs(io.Writer) error     { return nil }
func (n fakeNode) Command(c string, a ...string) exec.Cmd {
	return n.CommandContext(context.Background(), c, a...)
}
func (n fakeNode) CommandContext(_ context.Context, c string, a ...string) exec.Cmd {
	return &fakeCmd{node: n, line: c + " " + strings.Join(a, " ")}
}

type fakeCmd struct {
	node           fakeNode
	line           string
	stdin          io.Reader
	stdout, stderr io.Writer
}

func (c *fakeCmd) SetEnv(...string) exec.Cmd      { return c }
func (c *fakeCmd) SetStdin(r io.Reader) exec.Cmd  { c.stdin = r; return c }
func (c *fakeCmd) SetStdout(w io.Writer) exec.Cmd { c.stdout = w; return c }
func (c *fakeCmd) SetStderr(w io.Writer) exec.Cmd { c.stderr = w; return c }

const wholeCluster = `{"items":[{"kind":"Node","metadata":{"name":"n"},"status":{"conditions":[{"type":"Ready","status":"True"}]}},{"kind":"StorageClass"}]}`

func (c *fakeCmd) Run() error {
	f := c.node.runtime
	if strings.Contains(c.line, "get nodes,storageclasses") {
		f.mu.Lock()
		whole := f.whole && f.status[c.node.name] == "running"
		f.mu.Unlock()
		if !whole {
			fmt.Fprintln(c.stderr, "The connection to the server was refused")
			return errors.New("exit status 1")
		}
		_, err := io.WriteString(c.stdout, wholeCluster)
		return err
	}
	if f.inNode == nil {
		return fmt.Errorf("%s: the fake does not know this command", c.line)
	}
	out, err := f.inNode(c.stdin, c.line)
	if err != nil && c.stderr != nil {
		fmt.Fprintln(c.stderr, err)
	}
	if c.stdout != nil {
		_, _ = io.WriteString(c.stdout, out)
	}
	return err
}
