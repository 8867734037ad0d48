package kind

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kubernetes"
)

// deployed counts the changes that deploy has made.
type deployed struct {
	kubernetes.Deployed
	loaded   int // images that the cluster did not have before
	password string
}

func (d deployed) unchanged() bool {
	return d.loaded == 0 && d.Deployed == (kubernetes.Deployed{})
}

// String names the changes in a few words.
func (d deployed) String() string {
	return fmt.Sprintf("%d images loaded, %d objects changed, %d workloads rolled out", d.loaded, d.Objects, d.Rolled)
}

// deploy applies the manifests and waits until everything is ready.
func (t *Target) deploy(ctx context.Context, c *cluster.Cluster, files fs.FS, refs map[string]string) (deployed, error) {
	var done deployed
	w := t.workloads(c)
	var err error
	if done.password, err = w.Password(ctx); err != nil {
		return done, err
	}
	o := manifests.Options{
		Overlay: manifests.Kind, Images: refs, Faults: t.o.Faults, AdminPassword: done.password,
		Retention: t.o.Retention, Sampling: t.o.Sampling, MetricsServer: t.o.MetricsServer, Inspect: t.o.Inspect, Forward: t.o.Forward,
	}
	if t.ports.grafana > 0 {
		o.GrafanaURL = address(t.ports.grafana)
	}
	raw, err := manifests.Build(files, o)
	if err != nil {
		return done, err
	}
	started, err := c.NodesStarted(ctx)
	if err != nil {
		return done, err
	}
	done.Deployed, err = w.Deploy(ctx, raw, map[string]string{kubernetes.ImageNote: refs["lab"]}, deploy.RolloutOptions{
		Timeout: t.o.Timeout, NodesStarted: started, Namespaces: []string{"kube-system"},
	})
	return done, err
}
