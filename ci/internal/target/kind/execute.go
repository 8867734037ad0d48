package kind

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Execute implements [target.Remote]: it runs `lab ARGS` as a Job in the cluster, in
// the lab image that Up has loaded.
func (t *Target) Execute(ctx context.Context, args []string) (target.Executed, error) {
	done, err := t.workloads(t.cluster()).Execute(ctx, args)
	return done, t.notUp(err)
}
