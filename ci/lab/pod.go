package main

import (
	"cmp"
	"context"
	"io"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

// podSite is the lab around the pod that this program runs in: it can be looked
// at and used, but not brought up or down.
type podSite struct{ e *env }

func (s podSite) traffic(ctx context.Context, o trafficRun) (traffic.Report, error) {
	o.Frontend = cmp.Or(o.Frontend, target.Cluster().Frontend)
	return traffic.Run(ctx, o.Options)
}

func (s podSite) verify(ctx context.Context, o verifyRun) (report.Report, error) {
	o.Addresses, o.Kubernetes = target.Cluster(), true
	return verify.Run(ctx, o.Options)
}

func (s podSite) endpoints(ctx context.Context, o endpointsRun) (report.Report, error) {
	g := target.Cluster()
	o.frontend, o.backend = cmp.Or(o.frontend, g.Frontend), cmp.Or(o.backend, g.Backend)
	return askEndpoints(ctx, o), nil
}

func (s podSite) trace(ctx context.Context, w io.Writer, id string) error {
	return writeTrace(ctx, w, target.Cluster(), id)
}

// lastRun says that nothing is kept: the pod's files end with it.
func (s podSite) lastRun() (string, error) { return "", nil }

func (s podSite) up(context.Context, upFlags) error  { return notHere("up") }
func (s podSite) down(context.Context) error         { return notHere("down") }
func (s podSite) reset(context.Context) error        { return notHere("reset") }
func (s podSite) status(context.Context, bool) error { return notHere("status") }
func (s podSite) logs(context.Context, io.Writer, string, bool) error {
	return notHere("logs")
}
func (s podSite) own(context.Context, upFlags) (func(), site, error) {
	return nil, nil, notHere("--up")
}
