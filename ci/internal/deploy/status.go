package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ErrUnknown says that there is no workload of that name.
var ErrUnknown = errors.New("no such component")

// Status is how the workloads of some namespaces are.
type Status struct {
	Workloads []Workload
	// Memory is the working set of each pod in bytes, by "namespace/name", as far
	// as the nodes tell.
	Memory map[string]int64
}

// Ready tells whether there are workloads and all of them are ready.
func (s Status) Ready() bool {
	return len(s.Workloads) > 0 && !slices.ContainsFunc(s.Workloads, func(w Workload) bool { return !w.Done })
}

// State says in a few words how the workload is.
func (w Workload) State() string { return w.state() }

// State says in a word or two how the pod is.
func (p Pod) State() string { return p.state() }

// Look asks how the workloads of the namespaces are.
func Look(ctx context.Context, k Kubectl, namespaces ...string) (Status, error) {
	s, err := take(ctx, k, false)
	if err != nil {
		return Status{}, err
	}
	found := Status{Memory: map[string]int64{}}
	nodes := map[string]bool{}
	for _, w := range s.workloads {
		if !slices.Contains(namespaces, w.Namespace) {
			continue
		}
		found.Workloads = append(found.Workloads, w)
		for _, p := range append(slices.Clone(w.Pods), w.Old...) {
			if p.Node != "" {
				nodes[p.Node] = true
			}
		}
	}
	for node := range nodes {
		// A node that does not answer leaves a gap, and nothing worse.
		raw, err := k.Kubectl(ctx, nil, "get", "--raw", "/api/v1/nodes/"+node+"/proxy/stats/summary")
		if err == nil {
			_ = readMemory(raw, found.Memory)
		}
	}
	return found, ctx.Err()
}

// readMemory reads the kubelet's summary of its pods.
func readMemory(raw []byte, into map[string]int64) error {
	var summary struct {
		Pods []struct {
			PodRef struct{ Name, Namespace string }
			Memory struct{ WorkingSetBytes int64 }
		}
	}
	if err := json.Unmarshal(raw, &summary); err != nil {
		return fmt.Errorf("reading the kubelet's summary: %w", err)
	}
	for _, p := range summary.Pods {
		into[p.PodRef.Namespace+"/"+p.PodRef.Name] = p.Memory.WorkingSetBytes
	}
	return nil
}

// Logs writes what the pods of the named workload have printed to w, and with
// follow what they go on to print until ctx ends. It fails with ErrUnknown when
// the namespaces have no such workload.
func Logs(ctx context.Context, k Kubectl, w io.Writer, name string, follow bool, namespaces ...string) error {
	s, err := take(ctx, k, false)
	if err != nil {
		return err
	}
	var names []string
	for _, found := range s.workloads {
		if !slices.Contains(namespaces, found.Namespace) {
			continue
		}
		if names = append(names, found.Name); found.Name != name {
			continue
		}
		args := []string{"logs", "--namespace=" + found.Namespace, "--selector=" + found.Selector, "--all-containers", "--tail=-1", "--max-log-requests=20"}
		if len(found.Pods)+len(found.Old) > 1 {
			args = append(args, "--prefix")
		}
		if follow {
			args = append(args, "--follow")
		}
		err := k.KubectlTo(ctx, w, nil, args...)
		if follow && ctx.Err() != nil {
			return nil
		}
		return err
	}
	return fmt.Errorf("%q: %w; there are %s", name, ErrUnknown, strings.Join(names, ", "))
}

// Secret returns the value of a key of the newest Secret that the lab has applied
// under that name, with or without a hash behind it; "" when there is none.
func Secret(ctx context.Context, k Kubectl, namespace, name, key string) (string, error) {
	raw, err := k.Kubectl(ctx, nil, "get", "secrets", "--namespace="+namespace, "--selector="+managedBy+"="+Manager, "--ignore-not-found", "--output=json")
	if err != nil {
		return "", err
	}
	return newestSecret(raw, name, key)
}

func newestSecret(raw []byte, name, key string) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name              string
				CreationTimestamp time.Time
			}
			Data map[string][]byte
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", fmt.Errorf("reading the secret %s: %w", name, err)
	}
	var newest time.Time
	value := ""
	for _, s := range list.Items {
		if s.Metadata.Name != name && !strings.HasPrefix(s.Metadata.Name, name+"-") {
			continue
		}
		if v := s.Data[key]; len(v) > 0 && !s.Metadata.CreationTimestamp.Before(newest) {
			newest, value = s.Metadata.CreationTimestamp, string(v)
		}
	}
	return value, nil
}
