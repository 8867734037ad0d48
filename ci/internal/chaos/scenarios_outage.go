package chaos

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// outage is how long a store may be away that is only slow to come back, and longOutage is
// how long one is away that somebody has to repair.
const (
	outage     = time.Minute
	longOutage = 20 * time.Minute
)

// outages leave stores away for longer than the kills do: Alloy keeps what comes meanwhile.
func outages() []Scenario {
	stores := []string{target.Loki, target.Tempo, target.Mimir}
	var all []Scenario
	for _, o := range []struct {
		name       string
		components []string
		hold       time.Duration
	}{
		{"stores-away", stores, outage},
		{"loki-away-long", stores[:1], longOutage},
		{"tempo-away-long", stores[1:2], longOutage},
		{"mimir-away-long", stores[2:], longOutage},
		{"stores-away-long", stores, longOutage},
	} {
		s := Scenario{
			Name: o.name, About: fmt.Sprintf("kill -9 of %s, away for %v", andList(o.components), o.hold),
			Promises: promisesFor(true, o.components...), Needs: o.components, Hold: o.hold,
			Patience: 5 * time.Minute,
			Inject:   func(ctx context.Context, s *Stage) error { return s.Kill(ctx, o.components...) },
		}
		if len(o.components) == 1 {
			s.Alert = downAlerts[o.components[0]]
		}
		if slices.Contains(o.components, target.Mimir) {
			s.Promises = append(slices.Clone(s.Promises), Scraped)
			s.Judge = judgeScraped
		}
		all = append(all, s)
	}
	return all
}

func andList(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// scrapeInterval is that of prometheus.scrape "stack" in config/alloy/config.alloy.
const scrapeInterval = 4900 * time.Millisecond

// judgeScraped counts the scrapes of Alloy itself, which were made all the time, from the
// beginning of the harm to the end of the traffic.
func judgeScraped(s *Stage, o Observation) []Verdict {
	v := Verdict{Promise: Scraped, Title: byID(Scraped).Title, Outcome: NotTested, Measured: "Mimir is not reached from here"}
	if s.Addresses.Mimir == "" || len(s.Actions) == 0 {
		return []Verdict{v}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	window := o.Finished.Sub(s.Actions[0].At)
	due := int(window / scrapeInterval)
	mimir := query.Mimir{URL: s.Addresses.Mimir, HTTP: http.DefaultClient}
	found, _, err := mimir.Scalar(ctx, fmt.Sprintf(`count_over_time(up{job="alloy"}[%ds])`, int(window.Seconds())), o.Finished)
	v.Outcome, v.Measured = Kept, fmt.Sprintf("%.0f of %d scrapes of Alloy", found, due)
	switch {
	case err != nil:
		v.Outcome, v.Detail = Broken, err.Error()
	case int(found) < due-2: // one at each end, and one that came late
		v.Outcome, v.Detail = Broken, "scrapes that Alloy made are not in Mimir; prometheus.scrape \"stack\" in config/alloy/config.alloy says where they go"
	}
	return []Verdict{v}
}
