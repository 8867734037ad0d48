package kind

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// temporaryPrefix is how the name of a temporary cluster begins. The rest is random:
// two of them may be there at a time.
const temporaryPrefix = "lgtm-lab-temporary-"

const (
	// lookWithin bounds the look at what a failed start has left.
	lookWithin = 10 * time.Second
	// deleteWithin bounds the deletion of a temporary cluster.
	deleteWithin = 2 * time.Minute
)

// Temporary implements [target.Target] with a cluster of its own, on ports of the
// runtime's choice. When the lab in it does not come up, the cluster stays, to be
// looked at; when ctx ends, it goes. What a killed run has left is deleted first.
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
		return // the preflight says what is wrong with the runtime
	}
	for _, name := range names {
		t.say("deleting the cluster " + name + ", which a killed run has left")
		if err := cluster.New(cluster.Config{Name: name, Progress: t.say}).Delete(ctx); err != nil {
			t.say(err.Error())
		}
	}
}

// leave decides what becomes of a cluster whose lab did not come up.
func (t *Target) leave(ctx context.Context) {
	if ctx.Err() != nil {
		t.delete(ctx)
		return
	}
	lookCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
	defer cancel()
	c := t.cluster()
	if there, err := c.Exists(lookCtx); err == nil && there {
		_ = c.Keep(lookCtx) // a cluster without a node that runs is not worth a look
		t.o.Say(fmt.Sprintf("lab: the cluster %s stays; `go run ./ci/lab down --target kind --cluster %s` deletes it", t.o.Name, t.o.Name))
	}
}

// delete deletes the temporary cluster, also after ctx has ended.
func (t *Target) delete(ctx context.Context) {
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteWithin)
	defer cancel()
	if err := t.cluster().Delete(stopCtx); err != nil {
		t.o.Say("lab: taking the cluster down: " + err.Error())
	}
}
