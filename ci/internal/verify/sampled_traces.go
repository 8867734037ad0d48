package verify

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// keptByID says how many of the run's traces the lab keeps by their ids. Which these are
// anybody can compute, so that each is looked for.
func (v *verifier) keptByID(t traffic.Report) string {
	n := v.countKept(t)
	return fmt.Sprintf("the %d that are kept by their ids (%.1f%% of %d, %g%% wanted), and all with an error or of %v or longer",
		n, 100*float64(n)/float64(t.Requests), t.Requests, v.kept.Percent, v.kept.Slow)
}

func (v *verifier) countKept(t traffic.Report) (count int) {
	for n := 1; n <= t.Requests; n++ {
		if v.kept.Keeps(traffic.TraceID(t.TracePrefix, n)) {
			count++
		}
	}
	return count
}

// sampledShare checks that the share that is kept by the ids is the share that is wanted,
// as near as chance allows: five standard deviations, which it exceeds once in a million.
func (v *verifier) sampledShare(t traffic.Report) {
	if v.kept.All() {
		return
	}
	p := v.kept.Percent / 100
	expected, deviation := p*float64(t.Requests), math.Sqrt(float64(t.Requests)*p*(1-p))
	v.check("completeness", "share of traces kept by their ids", fmt.Sprintf("%.0f ± %.0f", expected, 5*deviation), func() (string, error) {
		n := v.countKept(t)
		if math.Abs(float64(n)-expected) > 5*deviation+1 {
			return strconv.Itoa(n), fmt.Errorf("%d of %d traces are kept by their ids, not %g%%", n, t.Requests, v.kept.Percent)
		}
		return strconv.Itoa(n), nil
	})
}

const (
	// surelySlow is how much longer than the limit a request must have taken for its
	// trace to be missed: the access log's clock is not the spans'.
	surelySlow = 1.1
	// linesPage is how many lines Loki answers with at most.
	linesPage = 5000
)

// keptForContent returns the numbers of the requests, not seen as traces and not kept by
// their ids, whose traces must be there for an error or their time, as the frontend's
// access log says.
func (v *verifier) keptForContent(ctx context.Context, t traffic.Report, seen []sighting) (open []int, err error) {
	if v.kept.All() {
		return nil, nil
	}
	logQL := fmt.Sprintf(`{service_name="frontend"} |~ "^request$" | trace_id=~"%s.*" | http_response_status_code >= 500 or duration_ms >= %g`,
		t.TracePrefix, surelySlow*float64(v.kept.Slow.Milliseconds()))
	wanted := map[int]bool{}
	from := t.Started.Add(-aroundRun)
	for {
		lines, err := v.loki.Lines(ctx, logQL, from, time.Now(), linesPage)
		if err != nil {
			return nil, fmt.Errorf("asking which requests failed or were slow: %w", err)
		}
		for _, line := range lines {
			if n, ofRun := traffic.Number(t.TracePrefix, line.Labels["trace_id"]); ofRun && n < len(seen) {
				wanted[n] = true
			}
		}
		if len(lines) < linesPage || !lines[len(lines)-1].Time.After(from) {
			break
		}
		from = lines[len(lines)-1].Time
	}
	for n := range wanted {
		if seen[n].spans == 0 && !v.kept.Keeps(traffic.TraceID(t.TracePrefix, n)) {
			open = append(open, n)
		}
	}
	return open, nil
}
