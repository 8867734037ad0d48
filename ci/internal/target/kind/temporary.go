package kind

import (
	"context"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// temporaryName is what a cluster for one verification is called. It is always the
// same, so that what a killed run has left is found by the next.
const temporaryName = "lgtm-lab-verify"

const (
	// lookWithin bounds the question whether there is a cluster.
	lookWithin = 10 * time.Second
	// deleteWithin bounds the deletion of a temporary cluster.
	deleteWithin = 2 * time.Minute
)

// Temporary implements [target.Target] with a cluster of its own, on ports of the
// runtime's choice. When the lab in it does not come up, the cluster stays, to be
// looked at.
func (t *Target) Temporary(ctx context.Context) (lab target.Target, release func(), err error) {
	own := &Target{o: t.o}
	own.o.Name = temporaryName
	if _, err := own.bring(ctx); err != nil {
		lookCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
		defer cancel()
		if there, lookErr := own.cluster().Exists(lookCtx); lookErr == nil && there {
			t.o.Say(fmt.Sprintf("lab: the cluster %s stays; `go run ./ci/lab down --target kind --cluster %s` deletes it", temporaryName, temporaryName))
		}
		return nil, nil, err
	}
	return own, func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteWithin)
		defer cancel()
		if err := own.cluster().Delete(stopCtx); err != nil {
			t.o.Say("lab: taking the cluster down: " + err.Error())
		}
	}, nil
}
