package kind

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/copies"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// Status implements [target.Target].
func (t *Target) Status(ctx context.Context) (target.Status, error) {
	c := t.cluster()
	found, err := deploy.Look(ctx, c, namespaces...)
	if err != nil {
		return target.Status{}, t.notUp(err)
	}
	var ports hostPorts
	if ports.frontend, err = c.HostPort(ctx, target.FrontendNodePort); err != nil {
		return target.Status{}, err
	}
	if ports.grafana, err = c.HostPort(ctx, target.GrafanaNodePort); err != nil {
		return target.Status{}, err
	}
	s := describe(t.o.Name, found, ports)
	s.Forward = forwarded(ctx, c)
	return s, nil
}

// forwarded asks Alloy, through the API server, what became of the copy for another
// endpoint; nil when there is none, or when Alloy does not answer.
func forwarded(ctx context.Context, c *cluster.Cluster) *target.Copy {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	metrics, err := c.Kubectl(ctx, nil, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s-0:%d/proxy/metrics",
		target.NamespaceObservability, target.Alloy, target.ClusterPorts().Alloy))
	if err != nil {
		return nil
	}
	if forward, made, err := copies.Read(bytes.NewReader(metrics), copies.Forward); err == nil && made {
		return &forward
	}
	return nil
}

// describe turns the workloads' status into the form that all targets share.
func describe(name string, found deploy.Status, ports hostPorts) target.Status {
	s := target.Status{Target: target.Kind, Cluster: name, Components: []target.Component{}}
	published := map[string]int{target.Frontend: ports.frontend, target.Grafana: ports.grafana}
	for _, w := range found.Workloads {
		c := target.Component{
			Name: w.Name, Namespace: w.Namespace, State: w.State(), Desired: w.Desired, Ready: w.Ready,
			Instances: []target.Instance{},
		}
		if port := published[w.Name]; port > 0 {
			c.URL = address(port)
		}
		for _, p := range append(slices.Clone(w.Pods), w.Old...) {
			c.Instances = append(c.Instances, target.Instance{
				Name: p.Name, Node: p.Node, State: p.State(), Ready: p.Ready, Restarts: p.Restarts(),
				MemoryBytes: found.Memory[p.Namespace+"/"+p.Name], Started: p.Created,
			})
		}
		s.Components = append(s.Components, c)
	}
	s.Sum()
	return s
}

// address returns the URL of a published port on this machine.
func address(port int) string { return fmt.Sprintf("http://localhost:%d", port) }
