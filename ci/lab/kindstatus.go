package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// podStatus is a pod in the JSON of `lab status`.
type podStatus struct {
	Name     string    `json:"name"`
	Node     string    `json:"node,omitempty"`
	State    string    `json:"state"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	Memory   int64     `json:"memory_bytes"`
	Created  time.Time `json:"created"`
}

// workloadStatus is a workload in the JSON of `lab status`.
type workloadStatus struct {
	Name      string      `json:"name"`
	Namespace string      `json:"namespace"`
	Kind      string      `json:"kind"`
	State     string      `json:"state"`
	Desired   int         `json:"desired"`
	Ready     int         `json:"ready"`
	Pods      []podStatus `json:"pods"`
}

func (s kindSite) status(ctx context.Context, asJSON bool) error {
	c := s.cluster()
	found, err := deploy.Look(ctx, c, labNamespaces...)
	if err != nil {
		return s.notUp(err)
	}
	var ports hostPorts
	if ports.frontend, err = c.HostPort(ctx, target.FrontendNodePort); err != nil {
		return err
	}
	if ports.grafana, err = c.HostPort(ctx, target.GrafanaNodePort); err != nil {
		return err
	}
	workloads := describe(found)
	if asJSON {
		err = writeJSON(s.e.stdout, map[string]any{"cluster": s.name, "ready": found.Ready(), "workloads": workloads,
			"frontend": address(ports.frontend), "grafana": address(ports.grafana)})
	} else {
		err = kindTable(s.e.stdout, workloads, ports, time.Now())
	}
	if err == nil && !found.Ready() {
		return errFailed
	}
	return err
}

func describe(s deploy.Status) []workloadStatus {
	all := []workloadStatus{}
	for _, w := range s.Workloads {
		state := workloadStatus{w.Name, w.Namespace, w.Kind, w.State(), w.Desired, w.Ready, []podStatus{}}
		for _, p := range append(slices.Clone(w.Pods), w.Old...) {
			state.Pods = append(state.Pods, podStatus{p.Name, p.Node, p.State(), p.Ready, p.Restarts(), s.Memory[p.Namespace+"/"+p.Name], p.Created})
		}
		all = append(all, state)
	}
	return all
}

func kindTable(w io.Writer, workloads []workloadStatus, ports hostPorts, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAMESPACE\tCOMPONENT\tREADY\tPOD\tSTATE\tRESTARTS\tMEMORY\tAGE")
	var memory int64
	open := 0
	for _, wl := range workloads {
		if wl.State != "ready" {
			open++
		}
		component := []string{wl.Namespace, wl.Name, fmt.Sprintf("%d/%d", wl.Ready, wl.Desired)}
		if len(wl.Pods) == 0 {
			fmt.Fprintf(t, "%s\t–\t%s\t\t\t\n", strings.Join(component, "\t"), wl.State)
		}
		for _, p := range wl.Pods {
			memory += p.Memory
			used := "–" // the node has not measured it yet
			if p.Memory > 0 {
				used = fmt.Sprintf("%d MB", p.Memory>>20)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", strings.Join(component, "\t"), p.Name, p.State, p.Restarts, used, age(now.Sub(p.Created)))
			component = []string{"", "", ""}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	what := "Everything is ready"
	switch {
	case len(workloads) == 0:
		what = "There is a cluster, but no lab in it yet"
	case open > 0:
		what = fmt.Sprintf("%d of %d components are not ready", open, len(workloads))
	}
	_, err := fmt.Fprintf(w, "\n%s; %d MB of memory in all pods.\nfrontend %s · grafana %s\n", what, memory>>20, address(ports.frontend), address(ports.grafana))
	return err
}

func address(port int) string {
	if port == 0 {
		return "not published"
	}
	return fmt.Sprintf("http://localhost:%d", port)
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}
