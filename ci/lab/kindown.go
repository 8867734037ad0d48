package main

import (
	"context"
	"fmt"
	"time"
)

// ownCluster is what a cluster for one verification is called. It is always the
// same, so that what a killed run has left is found by the next.
const ownCluster = "lgtm-lab-verify"

// lookWithin bounds the question whether there is a cluster.
const lookWithin = 10 * time.Second

// own makes a cluster of its own, on ports of the runtime's choice. When the lab
// in it does not come up, the cluster stays, to be looked at.
func (s kindSite) own(ctx context.Context, flags upFlags) (down func(), lab site, err error) {
	mine := kindSite{s.e, ownCluster}
	flags.ports, flags.anyPorts = nil, true
	if _, err := mine.bring(ctx, flags); err != nil {
		lookCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
		defer cancel()
		if there, lookErr := mine.cluster().Exists(lookCtx); lookErr == nil && there {
			s.e.say(fmt.Sprintf("lab: the cluster %s stays; `go run ./ci/lab down --target kind --cluster %s` deletes it", ownCluster, ownCluster))
		}
		return nil, nil, err
	}
	return func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		if err := mine.cluster().Delete(stopCtx); err != nil {
			s.e.say("lab: taking the cluster down: " + err.Error())
		}
	}, mine, nil
}
