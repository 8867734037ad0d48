package kind

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// MakeCluster makes the cluster as Up does, but without a lab in it, and returns a sentence
// about what it did.
func (t *Target) MakeCluster(ctx context.Context) (done string, err error) {
	begin := time.Now()
	c, _, err := t.wanted(ctx)
	if err != nil {
		return "", err
	}
	unguard, err := t.prepare(ctx, c)
	if err != nil {
		return "", err
	}
	defer unguard()
	made, err := c.Ensure(ctx)
	if err != nil {
		return "", err
	}
	if !made {
		return fmt.Sprintf("The cluster %s exists already.", t.o.Name), nil
	}
	return fmt.Sprintf("The cluster %s was made in %.1f s; its NodePorts %d and %d are at %s and %s.", t.o.Name, time.Since(begin).Seconds(),
		target.FrontendNodePort, target.GrafanaNodePort, address(t.ports.frontend), address(t.ports.grafana)), nil
}

// Kubectl runs kubectl in the cluster's node, as administrator, and writes its output to
// w. stdin may be nil.
func (t *Target) Kubectl(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error {
	return t.notUp(t.cluster().KubectlTo(ctx, w, stdin, args...))
}

// Kubeconfig returns a kubeconfig of the cluster's administrator. server is the URL of
// the API server; without it the URL has the port that the runtime has published on this
// machine.
func (t *Target) Kubeconfig(ctx context.Context, server string) ([]byte, error) {
	raw, err := t.cluster().Kubeconfig(ctx, server)
	return raw, t.notUp(err)
}
