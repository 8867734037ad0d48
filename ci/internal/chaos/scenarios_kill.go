package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// away is how long a component that was ended stays away before it is started again: long
// enough for every sender to notice.
const away = 10 * time.Second

// downAlerts are the alerts that say that a component is away.
var downAlerts = map[string]string{
	target.Loki: "LokiDown", target.Tempo: "TempoDown", target.Mimir: "MimirDown", target.Alloy: "AlloyDown",
	target.Backend: "BackendDown", target.Frontend: "FrontendDown",
}

// stored are the promises about what was acknowledged before, during and after the harm.
var stored = []string{Users, Traces, Lines, Counters, Exemplars, Freshness, Alerts}

// promisesFor are those that the absence of components tests.
func promisesFor(killed bool, components ...string) []string {
	ids := slices.Clone(stored)
	services := slices.Contains(components, target.Frontend) || slices.Contains(components, target.Backend)
	if !services {
		ids = append(ids, Unnoticed)
	}
	if killed && services {
		ids = append(ids, Unexported)
	}
	if killed && slices.Contains(components, target.Tempo) {
		ids = append(ids, Unflushed)
	}
	return ids
}

func kills() []Scenario {
	var all []Scenario
	for _, name := range target.All() {
		all = append(all, Scenario{
			Name: "kill-" + name, About: fmt.Sprintf("kill -9 of %s; it is started again after %v", name, away),
			Promises: promisesFor(true, name), Needs: []string{name}, Hold: away, Alert: downAlerts[name],
			Inject: func(ctx context.Context, s *Stage) error { return s.Kill(ctx, name) },
		}, Scenario{
			Name: "terminate-" + name, About: fmt.Sprintf("SIGTERM to %s; it is started again after %v", name, away),
			Promises: promisesFor(false, name), Needs: []string{name}, Hold: away, Alert: downAlerts[name],
			Inject: func(ctx context.Context, s *Stage) error { return s.Terminate(ctx, name) },
		})
	}
	return all
}

// pairs kills a store or the backend together with the collector, and then everything.
func pairs() []Scenario {
	var all []Scenario
	for _, name := range []string{target.Loki, target.Tempo, target.Mimir, target.Backend} {
		both := []string{name, target.Alloy}
		all = append(all, Scenario{
			Name: "kill-" + strings.Join(both, "-"), About: fmt.Sprintf("kill -9 of %s at once; both are started again after %v", strings.Join(both, " and "), away),
			Promises: promisesFor(true, both...), Needs: both, Hold: away, Alert: downAlerts[name],
			Inject: func(ctx context.Context, s *Stage) error { return s.Kill(ctx, both...) },
		})
	}
	return append(all, Scenario{
		Name: "power-loss", About: fmt.Sprintf("kill -9 of everything at once; all is started again after %v", away),
		Promises: promisesFor(true, everything...), Needs: everything, Hold: away,
		Inject: func(ctx context.Context, s *Stage) error { return s.Kill(ctx, s.present()...) },
	})
}

// everything is what every lab with the two services has.
var everything = []string{target.Frontend, target.Backend, target.Alloy, target.Loki, target.Tempo, target.Mimir}

// freezes stops components for a time. A frozen process keeps its connections, so that its
// callers wait instead of being refused.
func freezes() []Scenario {
	var all []Scenario
	for _, long := range []struct {
		name string
		hold time.Duration
	}{{"", 30 * time.Second}, {"-long", 3 * time.Minute}} {
		for _, name := range target.All() {
			promises := promisesFor(false, name)
			if name == target.Alloy || name == target.Tempo || name == target.Loki {
				promises = append(promises, SentAgain)
			}
			all = append(all, Scenario{
				Name: "freeze-" + name + long.name, About: fmt.Sprintf("%s is frozen (SIGSTOP) for %v", name, long.hold),
				Promises: promises, Needs: []string{name}, Hold: long.hold, Alert: downAlerts[name],
				Inject: func(ctx context.Context, s *Stage) error { return s.Freeze(ctx, name) },
				Heal:   func(ctx context.Context, s *Stage) error { return s.Thaw(ctx, name) },
			})
		}
	}
	const slept = time.Minute
	return append(all, Scenario{
		Name: "sleep", About: fmt.Sprintf("a machine that sleeps: everything is frozen for %v", slept),
		Promises: append(slices.Clone(stored), SentAgain), Needs: everything, Hold: slept,
		Inject: func(ctx context.Context, s *Stage) error { return s.Freeze(ctx, s.present()...) },
		Heal:   func(ctx context.Context, s *Stage) error { return s.Thaw(ctx, s.present()...) },
	})
}
