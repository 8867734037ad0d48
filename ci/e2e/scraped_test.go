package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Metrics wait on disk while Mimir is away, even when Alloy is killed meanwhile: what
// services send, and what Alloy scrapes. When Mimir is back, what Tempo makes of spans
// arrives, too, and soon: Mimir tells a sender that has tried for long to wait for up to
// 144 s, if it is let.
func TestMetricsSurviveAnOutage(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	first, _ := newSpan("before")
	l.mustSend("traces", spans("patient", first))
	l.has(`traces_spanmetrics_calls_total{service="patient"}`, 1, 1)
	l.kill("mimir")
	for i := range 50 {
		p := point(float64(i))
		l.mustSend("metrics", export(resource("patient", "service.instance.id", "a"), gauge("outage", p)))
		time.Sleep(20 * time.Millisecond)
	}
	second, _ := newSpan("before")
	l.mustSend("traces", spans("patient", second))
	time.Sleep(19 * time.Second) // four scrapes
	killed := time.Now()
	l.kill("alloy")
	l.lab("up", "--detach")
	back := time.Now()
	l.has("count_over_time(outage[5m])", 1, 50)
	for _, job := range []string{target.Alloy, target.Loki, target.Tempo} {
		l.has(fmt.Sprintf(`count_over_time(up{job=%q}[15s] @ %d) >= bool 2`, job, killed.Unix()), 1, 1)
	}
	l.has(`traces_spanmetrics_calls_total{service="patient"}`, 1, 2)
	t.Logf("all of it %.0f s after Mimir was ready", time.Since(back).Seconds())
}

// What Alloy scrapes is stored under the names that the programs have. Mimir would add
// endings to some, and take them from others.
func TestScrapedNames(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	name := regexp.MustCompile(`(?m)^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	for _, job := range []string{target.Alloy, target.Loki, target.Tempo, target.Mimir} {
		page := name.FindAllString(l.ownMetrics(job), -1)
		slices.Sort(page)
		page = slices.Compact(page)
		if len(page) < 100 {
			t.Fatalf("%s has %d metrics", job, len(page))
		}
		missing := func(samples []query.Sample) (names []string) {
			stored := map[string]bool{}
			for _, s := range samples {
				stored[s.Labels["__name__"]] = true
			}
			for _, n := range page {
				if !stored[n] {
					names = append(names, n)
				}
			}
			return names
		}
		all := l.instant(fmt.Sprintf(`count by (__name__) ({job=%q,instance=%q})`, job, job), func(all []query.Sample) bool { return len(missing(all)) == 0 })
		if names := missing(all); len(names) > 0 {
			t.Errorf("%s: %d of %d names are not stored: %s", job, len(names), len(page), strings.Join(names, " "))
		}
	}
	// No label that the programs do not have.
	l.has(`count({job="loki",service_name!=""} or {job="loki",server_address!=""})`, 0, 0)
}
