package kubernetes

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Options say which cluster the target is, and what its Up deploys.
type Options struct {
	// Context is a context of the user's kubeconfig; empty is the current one.
	Context string
	// Dir finds the lab's folder, which has the last traffic.
	Dir func() (string, error)
	// Files finds the configuration. Only methods that make something call it.
	Files func() checkout.Files
	// Lock loads the image lock. Only methods that make something call it.
	Lock func() (images.Lock, error)
	// Images are references, with a digest, by the image's name: the lab's own three, and
	// those that replace the lock's. Those that are left out stay as they were noted.
	Images map[string]string
	// Size is the size of the workloads, as [manifests.Options] has it; empty is the one
	// that was noted, or small.
	Size string
	// Settings replace those of the overlay production; nil keeps those that were noted.
	Settings map[string]string
	// Faults lets requests ask for a slow or failing query.
	Faults bool
	// Retention is how long the backends keep data, whole hours; 0 is what the settings say.
	Retention retention.Periods
	// Sampling is which traces are kept; the zero value keeps all.
	Sampling sampling.Traces
	// Inspect gives an inspector a copy of what services send.
	Inspect bool
	// Forward is another OTLP endpoint that gets a copy of what services send.
	Forward forward.Endpoint
	// Timeout bounds the wait until every workload is ready.
	Timeout time.Duration
	// NoPreflight goes on although something seems to be in the way.
	NoPreflight bool
	// Say gets the lines of progress.
	Say func(line string)
}

// Target is the lab in a cluster of the user's own.
type Target struct {
	o Options
	// kubectl is the user's, once connect has found the context; a test sets it.
	kubectl deploy.Kubectl
}

var (
	_ target.Remote    = (*Target)(nil)
	_ target.Database  = (*Target)(nil)
	_ target.Previewed = (*Target)(nil)
)

// New returns the target. It does not look at the cluster yet.
func New(o Options) *Target { return &Target{o: o} }

func (t *Target) say(line string) { t.o.Say("· " + line) }

// connect finds out which context is meant, and returns the lab's workloads there.
func (t *Target) connect(ctx context.Context) (Workloads, error) {
	if t.o.Context == "" {
		out, err := cmp.Or[deploy.Kubectl](t.kubectl, client{}).Kubectl(ctx, nil, "config", "current-context")
		if err != nil {
			return Workloads{}, fmt.Errorf("%w\n(--context NAME names a context; `kubectl config get-contexts` lists them)", err)
		}
		t.o.Context = strings.TrimSpace(string(out))
	}
	if t.kubectl == nil {
		t.kubectl = client{t.o.Context}
	}
	return Workloads{
		Client: t.kubectl, Target: target.Kubernetes, Cluster: t.o.Context,
		Flags:          "--target " + target.Kubernetes + " --context " + t.o.Context,
		KubectlCommand: "kubectl --context " + t.o.Context, Pull: corev1.PullIfNotPresent, Say: t.say,
	}, nil
}

// Execute implements [target.Remote]: it runs `lab ARGS` as a Job in the cluster.
func (t *Target) Execute(ctx context.Context, args []string) (target.Executed, error) {
	w, err := t.connect(ctx)
	if err != nil {
		return target.Executed{}, err
	}
	return w.Execute(ctx, args)
}

// Status implements [target.Target]. This machine reaches no component by itself.
func (t *Target) Status(ctx context.Context) (target.Status, error) {
	w, err := t.connect(ctx)
	if err != nil {
		return target.Status{}, err
	}
	return w.Status(ctx, nil)
}

// Logs implements [target.Target].
func (t *Target) Logs(ctx context.Context, out io.Writer, name string, follow bool) error {
	w, err := t.connect(ctx)
	if err != nil {
		return err
	}
	return w.Logs(ctx, out, name, follow)
}

// Backup implements [target.Database].
func (t *Target) Backup(ctx context.Context, to io.Writer) error {
	w, err := t.connect(ctx)
	if err != nil {
		return err
	}
	return w.Backup(ctx, to)
}

// Restore implements [target.Database].
func (t *Target) Restore(ctx context.Context, from io.Reader) (done string, err error) {
	w, err := t.connect(ctx)
	if err != nil {
		return "", err
	}
	return w.Restore(ctx, from)
}

// MigrateDatabase implements [target.Database]: the backend in a cluster has its SQLite file
// only.
func (t *Target) MigrateDatabase(context.Context) (string, error) {
	return "", fmt.Errorf("migrate-database: %w", target.ErrNotHere)
}

// Temporary implements [target.Target]: the namespaces' names are fixed, so that a cluster
// has one lab.
func (t *Target) Temporary(context.Context) (target.Target, func(), error) {
	return nil, nil, fmt.Errorf("--up: a cluster of your own has one lab, that of `lab up`: %w", target.ErrNotHere)
}

// notInFileNames matches what a context's name may have and a file's name may not.
var notInFileNames = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// TrafficFile implements [target.Target].
func (t *Target) TrafficFile() (string, error) {
	if t.o.Context == "" {
		if _, err := t.connect(context.Background()); err != nil {
			return "", err
		}
	}
	dir, err := t.o.Dir()
	if err != nil {
		return "", err
	}
	folder, err := labdir.Claim(dir)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(t.o.Context)) // two names may differ in other characters only
	name := notInFileNames.ReplaceAllString(t.o.Context, "-") + "-" + hex.EncodeToString(sum[:4])
	return filepath.Join(folder.Path, "last-traffic-kubernetes-"+name+".json"), nil
}
