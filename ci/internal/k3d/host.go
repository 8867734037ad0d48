// Package k3d runs the application of a case's k3d fixture: its Kubernetes manifests, in a
// cluster on this machine's Docker, with the lab in its reach under the name lgtm.
//
// The cluster is one of Kind's, as the lab's own is, and not one of k3d's: the case asks for
// Kubernetes and has no part in which distribution it is. All cases of a run share one
// cluster and take turns, because manifests name namespaces and objects of the whole cluster.
package k3d

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// deleteWithin bounds the deletion of the cluster.
const deleteWithin = 2 * time.Minute

// kindConfig is Kind's configuration of the cluster: one node, which publishes the port of
// the application under test on this machine's loopback address.
var kindConfig = fmt.Appendf(nil, `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes: [{role: control-plane, extraPortMappings: [{containerPort: %d, listenAddress: 127.0.0.1}]}]
`, nodePort)

// kubernetes is a cluster that is there.
type kubernetes interface {
	deploy.Kubectl
	Load(ctx context.Context, files []string) (cluster.Loaded, error)
	Resolve(ctx context.Context, host string) (string, error)
}

// Host makes the cluster when the first application needs it, and deletes it at the end. The
// zero value has no cluster yet.
type Host struct {
	// Nodes says what the cluster's nodes are made from.
	Nodes func(context.Context) (cluster.Config, error)
	// Progress gets sentences about long work.
	Progress func(text string)

	// make is [Host.create]; tests replace it.
	make func(context.Context) (made kubernetes, release func(), port int, err error)

	once    sync.Once
	err     error
	made    kubernetes
	port    int // this machine's port that leads to the application under test
	release func()

	turn sync.Once
	free *semaphore.Weighted
	left []byte // what the case before has left in the cluster
}

// take waits until no other case uses the cluster.
func (h *Host) take(ctx context.Context) error {
	h.turn.Do(func() { h.free = semaphore.NewWeighted(1) })
	if err := h.free.Acquire(ctx, 1); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// cluster returns the cluster, and makes it at the first call.
func (h *Host) cluster(ctx context.Context) (kubernetes, error) {
	h.once.Do(func() {
		create := h.make
		if create == nil {
			create = h.create
		}
		h.made, h.release, h.port, h.err = create(ctx)
	})
	return h.made, h.err
}

// create makes a cluster for this run alone. After a failure nothing of it is left.
func (h *Host) create(ctx context.Context) (kubernetes, func(), int, error) {
	began := time.Now()
	config, err := h.Nodes(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	port, err := application.FreePort()
	if err != nil {
		return nil, nil, 0, err
	}
	config.Name, config.Kind, config.Ports, config.Progress = cluster.TemporaryName(), kindConfig, map[int]int{nodePort: port}, h.say
	c := cluster.New(config)
	cluster.DeleteAbandoned(ctx, h.say)
	problems, err := c.Preflight(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, p := range problems {
		if !p.Likely {
			return nil, nil, 0, fmt.Errorf("a cluster cannot be made: %s. %s", p.What, p.Do)
		}
	}
	unguard, err := c.Guard(ctx, func() {})
	if err != nil {
		return nil, nil, 0, err
	}
	release := func() {
		defer unguard()
		ctx, cancel := interrupt.Cleanup(ctx, deleteWithin)
		defer cancel()
		if err := c.Delete(ctx); err != nil {
			h.say(fmt.Sprintf("deleting the cluster %s: %v; `docker rm --force --volumes %s-control-plane` deletes it", config.Name, err, config.Name))
		}
	}
	h.say("making a cluster for the cases with a k3d fixture")
	_, err = c.Ensure(ctx)
	if err == nil {
		err = awaitSystem(ctx, c)
	}
	if err != nil {
		release()
		return nil, nil, 0, err
	}
	h.say("the cluster was made in " + report.Elapsed(time.Since(began)))
	return c, release, port, nil
}

// awaitSystem waits for the cluster's own workloads, above all for its DNS server: an
// application whose first export does not find the lab's name loses it, with many an SDK.
func awaitSystem(ctx context.Context, k kubernetes) error {
	_, err := deploy.Rollout(ctx, k, nil, deploy.RolloutOptions{Namespaces: []string{metav1.NamespaceSystem}})
	return err
}

func (h *Host) say(text string) {
	if h.Progress != nil {
		h.Progress("· " + text)
	}
}

// Close deletes the cluster if there is one. No case may use it any more.
func (h *Host) Close() {
	if h.release != nil {
		h.release()
	}
}

// clear deletes what the case before has left in the cluster.
func (h *Host) clear(ctx context.Context, k kubernetes) error {
	if h.left == nil {
		return nil
	}
	_, err := k.Kubectl(ctx, bytes.NewReader(h.left), "delete", "--filename=-", "--ignore-not-found", "--timeout=60s")
	if err != nil {
		return fmt.Errorf("deleting what the case before has left: %w", err)
	}
	h.left = nil
	return nil
}

// outside returns the address under which pods reach this machine; gate is the one at which
// containers' telemetry is expected.
func outside(ctx context.Context, k kubernetes, gate string) (string, error) {
	if runtime.GOOS == "linux" {
		return gate, nil
	}
	const desktop = "host.docker.internal" // Docker Desktop's name for this machine
	address, err := k.Resolve(ctx, desktop)
	if err != nil {
		return "", fmt.Errorf("the cluster does not know this machine as %s: %w", desktop, err)
	}
	return strings.TrimSpace(address), nil
}
