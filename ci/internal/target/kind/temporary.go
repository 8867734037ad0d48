package kind

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// temporaryPrefix is the beginning of a temporary cluster's name. The rest is random, so
// that two of them can exist at a time.
const temporaryPrefix = "lgtm-lab-temporary-"

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
	own.o.Name = temporaryPrefix + strings.ToLower(rand.Text()[:6])
	own.o.Ports = nil
	t.clearAbandoned(ctx)
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

// clearAbandoned deletes the temporary clusters of runs that were killed.
func (t *Target) clearAbandoned(ctx context.Context) {
	names, err := t.cluster().Abandoned(ctx, temporaryPrefix)
	if err != nil {
		return // the preflight reports what is wrong with the runtime
	}
	for _, name := range names {
		t.say("deleting the cluster " + name + ", which a killed run has left")
		if err := cluster.New(cluster.Config{Name: name, Progress: t.say}).Delete(ctx); err != nil {
			t.say(err.Error())
		}
	}
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
		t.o.Say(fmt.Sprintf("lab: the cluster %s stays; `%s down --target kind --cluster %s` deletes it", t.o.Name, command.Name(), t.o.Name))
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
