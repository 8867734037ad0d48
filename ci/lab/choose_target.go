package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/incluster"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kubernetes"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/local"
)

// targetFlags choose the target.
type targetFlags struct{ name, cluster, context string }

// registerTarget adds the flags of a command that works on a lab.
func (e *env) registerTarget(cmd *cobra.Command) {
	e.registerDir(cmd)
	cmd.Flags().StringVar(&e.target.name, "target", cmp.Or(e.getenv("LAB_TARGET"), target.Local),
		"where the lab runs: local (processes on this machine), kind (a cluster in a container) or kubernetes (a cluster of your own, through your kubectl); in a pod of the lab, incluster (default $LAB_TARGET, or local)")
	e.registerCluster(cmd)
	cmd.Flags().StringVar(&e.target.context, "context", "", "kubernetes: the context of your kubeconfig, a `NAME` (default the current one)")
	onlyOn(cmd.Flags(), []string{target.Kind}, "cluster")
	onlyOn(cmd.Flags(), []string{target.Kubernetes}, "context")
	onlyOn(cmd.Flags(), []string{target.Local, target.Kind, target.Kubernetes}, "dir")
}

// registerCluster adds the flag that names the Kind cluster.
func (e *env) registerCluster(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.target.cluster, "cluster", cmp.Or(e.getenv("LAB_CLUSTER"), cluster.DefaultName), "kind: the cluster's `NAME`")
}

// lab returns the target that the command line chooses, for a command that brings no lab up.
func (e *env) lab() (target.Target, error) { return e.wanted(&upFlags{workers: -1}) }

// wanted returns the target that the command line chooses, for a command that brings a lab
// up with these flags.
func (e *env) wanted(f *upFlags) (t target.Target, err error) {
	switch e.target.name {
	case target.Local:
		t, err = e.local(f)
	case target.Kind:
		t, err = e.kind(f)
	case target.Kubernetes:
		t, err = e.kubernetes(f)
	case target.InCluster:
		return incluster.Target{}, nil
	default:
		return nil, oneOf("target", e.target.name, target.Local, target.Kind, target.Kubernetes, target.InCluster)
	}
	if err != nil {
		return nil, usageError{err}
	}
	return t, nil
}

// telemetry returns which traces the flags want kept, and where they want a copy of all
// telemetry.
func (f *upFlags) telemetry() (kept sampling.Traces, copied forward.Endpoint, err error) {
	if kept, err = f.sample.traces(); err != nil {
		return kept, copied, err
	}
	copied, err = forward.New(f.forward, f.headers)
	return kept, copied, err
}

// local returns the lab on this machine.
func (e *env) local(f *upFlags) (*local.Target, error) {
	kept, other, err := f.telemetry()
	if err != nil {
		return nil, err
	}
	return local.New(local.Options{
		Dir: e.labDir, Files: e.files, NoServices: f.noServices, Listen: f.listen,
		Stack: func() (*stack.Stack, error) { return e.stack(f.stack, f.cache, f.images, f.archives, false) },
		Ports: f.ports, FreePorts: f.freePorts, Inspect: f.inspect, Forward: other, Faults: !f.noFaults, Closed: f.wantsClosed(), Origins: f.origins, DatabaseURL: e.getenv("LAB_DATABASE_URL"), Retention: f.retention.periods(), Sampling: kept,
		Say: e.say, Line: e.line,
	})
}

// kind returns the Kind cluster that --cluster names, for commands without --target.
func (e *env) kind(f *upFlags) (*kind.Target, error) {
	kept, other, err := f.telemetry()
	if err != nil {
		return nil, usageError{err}
	}
	t, err := kind.New(kind.Options{
		Name: e.target.cluster, Dir: e.labDir, Files: e.files,
		Lock:  func() (images.Lock, error) { return e.imageLock(f.images) },
		Ports: f.ports, Faults: !f.noFaults, Retention: f.retention.periods(), Sampling: kept, Inspect: f.inspect, Forward: other,
		Workers: f.workers, NodeImage: f.nodeImage, Archives: f.archives, Listen: f.listen, Timeout: f.timeout,
		NoPreflight: f.noPreflight, MetricsServer: f.metricsServer, Recreate: f.recreate,
		Say: e.say, Transfer: e.transfer,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return t, nil
}

// kubernetes returns the cluster of the user's own that --context names.
func (e *env) kubernetes(f *upFlags) (*kubernetes.Target, error) {
	kept, other, err := f.telemetry()
	if err != nil {
		return nil, err
	}
	if f.size != "" {
		if err := oneOf("size", f.size, manifests.Sizes()...); err != nil {
			return nil, err
		}
	}
	settings, err := readSettings(f.settings)
	if err != nil {
		return nil, err
	}
	return kubernetes.New(kubernetes.Options{
		Context: e.target.context, Dir: e.labDir, Files: e.files,
		Lock:   func() (images.Lock, error) { return e.imageLock(f.images) },
		Images: f.given, Size: f.size, Settings: settings,
		Faults: !f.noFaults, Retention: f.retention.asked(), Sampling: kept, Inspect: f.inspect, Forward: other,
		Timeout: f.timeout, NoPreflight: f.noPreflight, Say: e.say,
	}), nil
}

// readSettings reads a file of settings; nil without a file.
func readSettings(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--settings: %w", err)
	}
	return manifests.ReadSettings(string(raw))
}
