package kind

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// jobTimeout bounds a Job: heavy traffic takes minutes, and so does the search for its
// telemetry.
const jobTimeout = 30 * time.Minute

// Execute implements [target.Remote]: it runs `lab ARGS` as a Job in the cluster, in
// the lab image that Up has loaded.
func (t *Target) Execute(ctx context.Context, args []string) (target.Executed, error) {
	c := t.cluster()
	image, err := t.labImage(ctx, c)
	if err != nil {
		return target.Executed{}, t.notUp(err)
	}
	manifest, err := manifests.Job(args[0], manifests.JobOptions{
		Image: image, Args: append(args, "--target="+target.InCluster), Timeout: jobTimeout,
	})
	if err != nil {
		return target.Executed{}, err
	}
	done, err := deploy.RunJob(ctx, c, manifest, deploy.JobOptions{Progress: t.say})
	if err == nil && done.ExitCode != 0 && strings.Contains(string(done.Output), target.ErrUnreachable.Error()) {
		err = t.unreachable(ctx, c, strings.TrimSpace(string(done.Output)))
	}
	return target.Executed{Output: done.Output, ExitCode: done.ExitCode}, err
}

// unreachable explains why a Job could not reach a component: either the component is not
// ready, or the network does not let the Job reach it.
func (t *Target) unreachable(ctx context.Context, c *cluster.Cluster, said string) error {
	found, err := deploy.Look(ctx, c, namespaces...)
	switch {
	case err != nil:
		return fmt.Errorf("%s\nThe components' state could not be read: %w", said, err)
	case found.Ready():
		return fmt.Errorf("%s\nEvery component is ready, so the network did not let the Job in: because of its network policies, or because\n"+
			"the network plugin does not know the Job's pod yet. See `%s cluster kubectl get networkpolicies -A`", said, command.Name())
	}
	return fmt.Errorf("%s\nA component is not ready: see `%s status --target kind`", said, command.Name())
}

// labImageNote is the annotation, on the namespace of the Jobs, that has the reference of
// the lab image that Up has loaded last.
const labImageNote = "lgtm-lab/image"

func (t *Target) labImage(ctx context.Context, c *cluster.Cluster) (string, error) {
	out, err := c.Kubectl(ctx, nil, "get", "namespace", target.NamespaceObservability, "--ignore-not-found",
		"--output=jsonpath={.metadata.annotations."+labImageNote+"}")
	if err != nil {
		return "", err
	}
	if ref := strings.TrimSpace(string(out)); ref != "" {
		return ref, nil
	}
	return "", fmt.Errorf("the cluster %s has no lab in it yet; finish with `%s up --target kind`: %w", t.o.Name, command.Name(), target.ErrNotUp)
}

// noteImages writes into the cluster which image the Jobs are to use.
func (t *Target) noteImages(ctx context.Context, c *cluster.Cluster, refs map[string]string) error {
	_, err := c.Kubectl(ctx, nil, "annotate", "namespace", target.NamespaceObservability, "--overwrite",
		labImageNote+"="+refs["lab"])
	return err
}
