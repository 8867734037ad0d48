package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// docker runs the container runtime's command and returns its standard output. stdin
// may be nil.
type docker func(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error)

// errNoCommand says that the docker command is not installed.
var errNoCommand = errors.New("there is no docker command in PATH")

// command runs the docker command in PATH, which Kind uses, too.
func command(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &complaint
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return nil, errNoCommand
	case err != nil:
		said := lastLines(complaint.String(), 8)
		if said == "" {
			said = err.Error()
		}
		return out.Bytes(), fmt.Errorf("docker %s: %s", summary(args), said)
	}
	return out.Bytes(), nil
}

// clusterLabel is Kind's label for the cluster that a node belongs to.
const clusterLabel = "io.x-k8s.kind.cluster"

// container is a node as the runtime sees it.
type container struct {
	Name string
	// Status is created, running, paused, restarting, removing, exited or dead.
	Status string
	// Started is when it was started last.
	Started time.Time
	// Image is the reference that the node was made from.
	Image string
	// Ports are the host's ports by the node's port; Listen are their addresses.
	Ports  map[int]int
	Listen map[int]string
}

// stopped tells whether it has to be started to be of use.
func (n container) stopped() bool { return n.Status != "running" && n.Status != "restarting" }

// containers returns the cluster's nodes in any state.
func (c *Cluster) containers(ctx context.Context) ([]container, error) {
	out, err := c.docker(ctx, nil, "ps", "-a", "--filter", "label="+clusterLabel+"="+c.Name, "--format", "{{.Names}}")
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(out))
	if len(names) == 0 {
		return nil, nil
	}
	if out, err = c.docker(ctx, nil, append([]string{"inspect", "--type=container"}, names...)...); err != nil {
		return nil, err
	}
	return parseContainers(out)
}

// parseContainers reads what `docker inspect` prints.
func parseContainers(raw []byte) ([]container, error) {
	var inspected []struct {
		Name  string
		State struct {
			Status    string
			StartedAt time.Time
		}
		// HostConfig has the wanted ports, even while the container is stopped.
		HostConfig struct {
			PortBindings map[string][]struct{ HostIP, HostPort string }
		}
		Config struct{ Image string }
	}
	if err := json.Unmarshal(raw, &inspected); err != nil {
		return nil, fmt.Errorf("reading `docker inspect`: %w", err)
	}
	var all []container
	for _, i := range inspected {
		node := container{Name: strings.TrimPrefix(i.Name, "/"), Status: i.State.Status, Started: i.State.StartedAt, Image: i.Config.Image,
			Ports: map[int]int{}, Listen: map[int]string{}}
		for port, bindings := range i.HostConfig.PortBindings {
			inside, _, _ := strings.Cut(port, "/")
			from, err := strconv.Atoi(inside)
			if err != nil || len(bindings) == 0 {
				continue
			}
			// The runtime chose the host's port if it is empty here.
			if to, err := strconv.Atoi(bindings[0].HostPort); err == nil && to > 0 {
				node.Ports[from], node.Listen[from] = to, orAny(bindings[0].HostIP)
			}
		}
		all = append(all, node)
	}
	slices.SortFunc(all, func(a, b container) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// labNetworkLabel marks the network that this package has made.
const labNetworkLabel = "lgtm-lab.cluster"

// networkName is the network that Kind puts every cluster's nodes into.
const networkName = "kind"

// ensureNetwork makes Kind's network when there is none. Its label tells Delete that this
// package has made it. A network that exists already belongs to another program.
func (c *Cluster) ensureNetwork(ctx context.Context) error {
	out, err := c.docker(ctx, nil, "network", "ls", "--filter", "name=^"+networkName+"$", "--format", "{{.ID}}")
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		return err
	}
	args := []string{"network", "create", "--driver", "bridge", "--label", labNetworkLabel + "=" + c.Name,
		"--opt", "com.docker.network.bridge.enable_ip_masquerade=true"}
	// Like Kind, use the packet size of the default network.
	if mtu, err := c.docker(ctx, nil, "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.driver.mtu"}}`); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(mtu))); err == nil && n > 0 {
			args = append(args, "--opt", "com.docker.network.driver.mtu="+strconv.Itoa(n))
		}
	}
	if _, err := c.docker(ctx, nil, append(args, networkName)...); err != nil && !strings.Contains(err.Error(), "already exists") {
		return err
	}
	return nil
}

// deleteNetwork removes Kind's network if this package has made it and no container,
// running or stopped, is in it.
func (c *Cluster) deleteNetwork(ctx context.Context) error {
	out, err := c.docker(ctx, nil, "network", "ls", "--filter", "label="+labNetworkLabel, "--filter", "name=^"+networkName+"$", "--format", "{{.ID}}")
	if err != nil {
		return err
	}
	id := strings.TrimSpace(string(out))
	if id == "" {
		return nil
	}
	if out, err = c.docker(ctx, nil, "ps", "-a", "--quiet", "--filter", "network="+networkName); err != nil || len(bytes.TrimSpace(out)) > 0 {
		return err
	}
	_, err = c.docker(ctx, nil, "network", "rm", id)
	return err
}

// Arch returns the processor architecture of the runtime, as Go and images name it:
// "amd64", "arm64".
func (c *Cluster) Arch(ctx context.Context) (string, error) {
	out, err := c.docker(ctx, nil, "version", "--format", "{{.Server.Arch}}")
	return strings.TrimSpace(string(out)), err
}
