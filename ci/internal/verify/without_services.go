package verify

import (
	"context"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// noServices is why a check is skipped in a lab that has the stack alone.
const noServices skipReason = "the lab is up without the two sample services, whose telemetry this is about"

// ofServices is why the panels of a dashboard are skipped there.
const ofServices = noServices + "; `lab verify --service NAME` checks the panels for an application of yours"

// hasServices tells whether the lab has the two services.
func (v *verifier) hasServices() bool { return v.Addresses.Frontend != "" }

// skippedWithoutServices are the groups of checks that are about the services' requests
// and telemetry. Each is one skipped check then, so that the report says what it lacks.
var skippedWithoutServices = []struct{ group, name string }{
	{"trace", "one request, followed through the stack"},
	{"completeness", "every request of the traffic"},
	{"metrics", "the services' own metrics"},
	{"endpoints", "every endpoint of both services"},
	{"service graph", "service graph and span metrics"},
	{"exemplars", "each leads to a trace"},
	{"freshness", "how long each signal takes"},
	{"links", "every link between the signals"},
}

// stackAlone runs the checks that need no service: that the stack scrapes itself,
// evaluates its rules, fills its own dashboard, has what Grafana is provisioned with,
// and has lost nothing of what others have sent.
func (v *verifier) stackAlone(ctx context.Context) error {
	v.groups = ownGroups(v.groups)
	v.Progress("waiting until all earlier losses are counted")
	_ = v.settled(ctx) // the checks of the metrics report what is not counted in time
	before := v.readBaseline(ctx, time.Now())
	for _, s := range skippedWithoutServices {
		v.report.Add(report.Check{Group: s.group, Name: s.name, Status: report.Skip, Detail: noServices.Error()})
	}
	arrived := time.Now()
	v.up(ctx)
	v.Progress("the panels of the stack's own dashboard")
	v.panels(ctx)
	v.Progress("rules and alerts, Grafana")
	v.rules(ctx)
	v.grafana(ctx)
	v.retention(ctx)
	v.nothingLost(ctx, before, arrived)
	return context.Cause(ctx)
}

// isOfServices tells whether a dashboard shows the telemetry of services: one can choose
// among them.
func isOfServices(d dashboards.Dashboard) bool {
	return slices.ContainsFunc(d.Variables, func(variable dashboards.Variable) bool { return variable.Name == serviceVariable })
}

// nothingSent is why a check without data is skipped in a lab without services: until
// somebody has sent telemetry, many counters of the stack have no sample.
const nothingSent skipReason = "no data yet: nobody has sent such telemetry to this lab"

// ownGroups are the groups of rules that the lab has loaded.
func ownGroups(all []rules.Group) []rules.Group {
	return slices.DeleteFunc(slices.Clone(all), func(g rules.Group) bool { return g.File == rules.SampleServices })
}
