package kind

import (
	"context"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

const (
	// lookWithin bounds the look at the cluster that a failed start has left.
	lookWithin = 10 * time.Second
	// deleteWithin bounds the deletion of a temporary cluster.
	deleteWithin = 2 * time.Minute
)

// Temporary implements [target.Target] with a cluster of its own, on ports of the
// runtime's choice. When the lab in the cluster does not come up, the cluster stays, so
// that a person can look at it; when ctx ends, the cluster is deleted. Temporary first
// deletes the clusters that killed runs have left.
func (t *Target) Temporary(ctx context.Context) (lab target.Target, release func(), err error) {
	own := &Target{o: t.o, anyPorts: true}
	own.o.Name = cluster.TemporaryName()
	own.o.Ports = nil
	cluster.DeleteAbandoned(ctx, t.say)
	_, unguard, err := own.bringGuarded(ctx)
	if err != nil {
		own.leave(ctx)
		unguard()
		return nil, nil, err
	}
	return own, func() {
		defer unguard()
		own.delete(ctx)
	}, nil
}

// leave keeps a cluster whose lab did not come up, or deletes it when ctx has ended.
func (t *Target) leave(ctx context.Context) {
	if ctx.Err() != nil {
		t.delete(ctx)
		return
	}
	lookCtx, cancel := interrupt.Cleanup(ctx, lookWithin)
	defer cancel()
	c := t.cluster()
	if there, err := c.Exists(lookCtx); err == nil && there {
		_ = c.Keep(lookCtx) // fails only when no node runs, and then there is nothing to look at
		t.o.Say(fmt.Sprintf("lab: the cluster %s stays; `%s down %s` deletes it", t.o.Name, command.Name(), t.flags()))
	}
}

// delete deletes the temporary cluster, even after ctx has ended.
func (t *Target) delete(ctx context.Context) {
	stopCtx, cancel := interrupt.Cleanup(ctx, deleteWithin)
	defer cancel()
	if err := t.cluster().Delete(stopCtx); err != nil {
		t.o.Say("lab: taking the cluster down: " + err.Error())
	}
}
