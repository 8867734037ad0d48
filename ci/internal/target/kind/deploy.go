package kind

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// deployed counts the changes that deploy has made.
type deployed struct {
	loaded   int // images that the cluster did not have before
	changed  int // objects that are new or different
	rolled   int // workloads that became ready
	pruned   int
	password string
}

func (d deployed) unchanged() bool {
	return d.loaded == 0 && d.changed == 0 && d.rolled == 0 && d.pruned == 0
}

// String names the changes in a few words.
func (d deployed) String() string {
	return fmt.Sprintf("%d images loaded, %d objects changed, %d workloads rolled out", d.loaded, d.changed, d.rolled)
}

// deploy applies the manifests and waits until everything is ready.
func (t *Target) deploy(ctx context.Context, c *cluster.Cluster, files fs.FS, refs map[string]string) (deployed, error) {
	var done deployed
	password, err := t.password(ctx, c)
	if err != nil {
		return done, err
	}
	done.password = password
	o := manifests.Options{
		Overlay: manifests.Kind, Images: refs, Faults: t.o.Faults, AdminPassword: password,
		Retention: t.o.Retention, Sampling: t.o.Sampling, MetricsServer: t.o.MetricsServer, Inspect: t.o.Inspect, Forward: t.o.Forward,
	}
	if t.ports.grafana > 0 {
		o.GrafanaURL = "http://localhost:" + strconv.Itoa(t.ports.grafana)
	}
	raw, err := manifests.Build(files, o)
	if err != nil {
		return done, err
	}
	applied, err := deploy.Apply(ctx, c, raw)
	if err != nil {
		return done, err
	}
	done.changed = len(applied.Changed)
	t.say(fmt.Sprintf("applied %d objects, %d of them new or changed", len(applied.Objects), done.changed))
	if err := t.noteImages(ctx, c, refs); err != nil {
		return done, err
	}
	started, err := c.NodesStarted(ctx)
	if err != nil {
		return done, err
	}
	took, err := deploy.Rollout(ctx, c, deploy.Workloads(applied.Objects), deploy.RolloutOptions{
		Timeout: t.o.Timeout, NodesStarted: started, Namespaces: []string{"kube-system"}, Progress: t.say,
	})
	if err != nil {
		if ctx.Err() != nil {
			return done, err
		}
		return done, errors.New(deploy.Explain(ctx, c, err))
	}
	done.rolled = len(took)
	if done.pruned = len(applied.Surplus); done.pruned > 0 {
		t.say(fmt.Sprintf("deleting %d objects that are not in the manifests any more", done.pruned))
	}
	return done, deploy.Prune(ctx, c, applied.Surplus)
}

// password returns the password of Grafana's administrator: the one in the cluster, or a
// new one when the cluster has none yet.
func (t *Target) password(ctx context.Context, c *cluster.Cluster) (string, error) {
	have, err := deploy.Secret(ctx, c, target.NamespaceObservability, "grafana-admin", "password")
	if err != nil || have != "" {
		return have, err
	}
	return strings.ToLower(rand.Text()), nil
}
