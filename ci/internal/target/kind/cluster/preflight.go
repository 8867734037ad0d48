package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// A Problem is a reason why a cluster cannot be made.
type Problem struct {
	// What names the problem, and Do says what to do about it.
	What, Do string
	// Likely says that a cluster may work nevertheless.
	Likely bool
}

// String returns the problem and the advice in two lines.
func (p Problem) String() string { return p.What + "\n    " + p.Do }

// minMemory is the memory, in bytes, that a machine with 4 GB reports: the firmware and the
// kernel take the rest. The pods' limits together are a little less.
const minMemory = 3_800_000_000

// The inotify limits below which nodes fail with "too many open files". They are Linux'
// own defaults on a machine with 4 GB or more, and suffice for one node of this lab. Every
// further node needs half as much again.
const (
	minWatches   = 32768
	minInstances = 128
)

// host has the functions through which preflight looks at this machine; tests replace them.
type host struct {
	readFile func(string) ([]byte, error)
	listen   func(address string) error
	getenv   func(string) string
	goos     string
}

func machine() host {
	return host{
		readFile: os.ReadFile, getenv: os.Getenv, goos: runtime.GOOS,
		listen: func(address string) error {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return err
			}
			return l.Close()
		},
	}
}

// dockerInfo is the part of `docker info` that preflight reads.
type dockerInfo struct {
	MemTotal int64
	// Host is in Podman's output only.
	Host *struct{ MemTotal int64 }
	// Version is in Podman's output only.
	Version       *struct{ Version string }
	OSType        string
	CgroupVersion string
	ServerErrors  []string
}

// Preflight looks for problems that would keep the cluster from being made, before any
// work. It returns every problem that it finds; an error says that it could not look.
func (c *Cluster) Preflight(ctx context.Context) ([]Problem, error) {
	return c.preflight(ctx, machine())
}

func (c *Cluster) preflight(ctx context.Context, m host) ([]Problem, error) {
	raw, err := c.docker(ctx, nil, "info", "--format", "{{json .}}")
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, errNoCommand) {
		return []Problem{{What: "There is no docker command in PATH.",
			Do: "Install Docker (https://docs.docker.com/engine/install) or another runtime with its command line, or use --target local, which needs no container runtime."}}, nil
	}
	var info dockerInfo
	if jsonErr := json.Unmarshal(raw, &info); err == nil && jsonErr != nil {
		err = fmt.Errorf("reading `docker info`: %w", jsonErr)
	}
	if err == nil && len(info.ServerErrors) > 0 {
		err = errors.New(strings.Join(info.ServerErrors, "; "))
	}
	if err != nil {
		return []Problem{{What: fmt.Sprintf("No container runtime answers at %s: %v.", endpoint(m), strings.TrimRight(err.Error(), ".?")),
			Do: "Start one (Docker Desktop, systemctl start docker, colima start), or point DOCKER_HOST at one; --target local needs no container runtime."}}, nil
	}
	if info.Host != nil {
		return []Problem{podman(info)}, nil
	}
	problems := c.judgeRuntime(info)
	if local(m) {
		problems = append(problems, c.judgeLimits(m)...)
	}
	found, err := c.containers(ctx)
	if err != nil || len(found) > 0 {
		return problems, err // an existing cluster has its ports already
	}
	taken, err := c.judgePorts(ctx, m)
	return append(problems, taken...), err
}

// podman returns the problem that the docker command is Podman's: Podman's answers have
// another form, and Kind treats Podman as a provider of its own.
func podman(info dockerInfo) Problem {
	version := ""
	if info.Version != nil {
		version = " " + info.Version.Version
	}
	return Problem{
		What: fmt.Sprintf("The docker command here is Podman's (podman%s, %.1f GB of memory), but the lab makes its cluster with Docker's.", version, float64(info.Host.MemTotal)/1e9),
		Do: "Put Docker's own command first in PATH. It may talk to a Podman that runs as root: systemctl enable --now podman.socket,\n" +
			"    DOCKER_HOST=unix:///run/podman/podman.sock. --target local needs no containers at all.",
	}
}

// judgeRuntime finds problems in the output of `docker info`.
func (c *Cluster) judgeRuntime(info dockerInfo) []Problem {
	var problems []Problem
	if info.OSType != "" && info.OSType != "linux" {
		problems = append(problems, Problem{What: "The container runtime runs " + info.OSType + " containers.", Do: "Switch it to Linux containers."})
	}
	if info.MemTotal < minMemory {
		problems = append(problems, Problem{Likely: true,
			What: fmt.Sprintf("The container runtime has %.1f GB of memory; the lab needs 4.", float64(info.MemTotal)/1e9),
			Do:   "Give it more (Docker Desktop: Settings, Resources; colima start --memory 6)."})
	}
	if v := minor(c.NodeImage); info.CgroupVersion == "1" && v >= 35 {
		problems = append(problems, Problem{Likely: true,
			What: fmt.Sprintf("The runtime uses cgroup v1, and Kubernetes 1.%d does not start there.", v),
			Do:   "Use a node image of Kubernetes 1.34 (--node-image), or a system with cgroup v2."})
	}
	return problems
}

// judgeLimits finds inotify limits of the kernel that are too low; all nodes share them.
func (c *Cluster) judgeLimits(m host) []Problem {
	var problems []Problem
	for _, limit := range []struct {
		name string
		min  int
	}{{"max_user_watches", minWatches}, {"max_user_instances", minInstances}} {
		raw, err := m.readFile("/proc/sys/fs/inotify/" + limit.name)
		if err != nil {
			continue // not Linux, or not allowed to look
		}
		have, err := strconv.Atoi(strings.TrimSpace(string(raw)))
		need := limit.min + c.Workers*limit.min/2
		if err == nil && have < need {
			problems = append(problems, Problem{Likely: true,
				What: fmt.Sprintf("fs.inotify.%s is %d; %s %d.", limit.name, have, nodesNeed(1+c.Workers), need),
				Do:   fmt.Sprintf("sudo sysctl fs.inotify.%s=%d (and in /etc/sysctl.d, to keep it)", limit.name, max(need, 4*limit.min))})
		}
	}
	return problems
}

func nodesNeed(nodes int) string {
	if nodes == 1 {
		return "1 node needs"
	}
	return fmt.Sprintf("%d nodes need", nodes)
}

// judgePorts finds other containers that have the host's ports. When the runtime is on this
// machine, it also finds other programs that have them.
func (c *Cluster) judgePorts(ctx context.Context, m host) ([]Problem, error) {
	want, err := c.wanted()
	if err != nil {
		return nil, err
	}
	out, err := c.docker(ctx, nil, "ps", "--format", "{{.Names}}\t{{.Ports}}")
	if err != nil {
		return nil, err
	}
	owners := publishers(string(out))
	var problems []Problem
	for _, port := range slices.Sorted(maps.Values(want.ports)) {
		who := ""
		if owner, ok := owners[port]; ok {
			who = "the container " + owner
		} else if local(m) && m.listen(net.JoinHostPort(orAny(c.Listen), strconv.Itoa(port))) != nil {
			who = "another program (a lab on the local target? `lab down` stops it)"
		}
		if who != "" {
			problems = append(problems, Problem{What: fmt.Sprintf("Port %d is taken by %s.", port, who),
				Do: "Free the port, or use another: --port frontend=8081, --port grafana=3001."})
		}
	}
	return problems, nil
}

func orAny(address string) string {
	if address == "" {
		return "0.0.0.0"
	}
	return address
}

// publishers reads the host's ports out of `docker ps`:
// "name\t0.0.0.0:8080->30080/tcp, [::]:8080->30080/tcp, 127.0.0.1:9000-9002->9000-9002/tcp".
func publishers(ps string) map[int]string {
	owners := map[int]string{}
	for line := range strings.Lines(ps) {
		name, ports, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for mapping := range strings.SplitSeq(ports, ",") {
			host, _, published := strings.Cut(strings.TrimSpace(mapping), "->")
			if !published {
				continue
			}
			host = host[strings.LastIndex(host, ":")+1:]
			first, last, isRange := strings.Cut(host, "-")
			from, err := strconv.Atoi(first)
			if err != nil {
				continue
			}
			to := from
			if isRange {
				if to, err = strconv.Atoi(last); err != nil {
					continue
				}
			}
			for p := from; p <= to; p++ {
				owners[p] = name
			}
		}
	}
	return owners
}

// defaultSocket is where a runtime on this machine listens unless told otherwise.
const defaultSocket = "unix:///var/run/docker.sock"

func endpoint(m host) string {
	if host := m.getenv("DOCKER_HOST"); host != "" {
		return host
	}
	return "docker's default address"
}

// local tells whether the runtime shares this machine's kernel and network for sure.
func local(m host) bool {
	host := m.getenv("DOCKER_HOST")
	return m.goos == "linux" && (host == "" || host == defaultSocket) && m.getenv("DOCKER_CONTEXT") == ""
}
