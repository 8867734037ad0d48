package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
)

// Deltas of exponential histograms that no SDK should send: Alloy adds them up, answers its
// senders, and loses no count and no point of a neighbour's in the same request.
func TestGuestOddHistograms(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	type step struct {
		scale, offset int32
		threshold     float64
	}
	for i, steps := range [][]step{
		{{3, 0, 0}, {3, 0, math.Inf(1)}, {3, 0, 0}},
		{{3, 0, 0}, {3, 0, math.NaN()}, {3, 0, 0}},
		{{3, 0, 0}, {3, 0, -1}, {3, 0, 1}},
		{{8, 0, 0}, {8, 0, 1e308}, {8, -100, 1e-308}},
		{{0, -80, 0}, {0, 79, 2}, {0, 0, 4}},
		{{0, -100, 0}, {0, 100, 2}, {0, 0, 4}},
		{{0, math.MinInt32, 0}, {0, math.MaxInt32, 2}, {0, 0, 4}},
		{{20, -80 << 20, 0}, {20, 80<<20 - 1, 2}, {0, 0, 4}},
		{{20, math.MinInt32, 0}, {20, math.MaxInt32, 2}, {20, 0, 4}},
		{{math.MinInt32, 0, 0}, {math.MaxInt32, 0, 2}, {-1, 0, 4}},
	} {
		name := fmt.Sprintf("odd_fine_%d", i)
		for n, s := range steps {
			m := fine(name, delta, s.scale, s.offset, 1, time.Now().Add(-10*time.Millisecond), time.Now())
			m.GetExponentialHistogram().DataPoints[0].ZeroThreshold = s.threshold
			l.mustSend("metrics", export(resource("odd"), m, gauge(fmt.Sprintf("beside_%d_%d", i, n), point(1))))
			time.Sleep(10 * time.Millisecond)
		}
		l.has(fmt.Sprintf("histogram_count(%s_seconds)", name), 1, 9)
		l.has(fmt.Sprintf(`count({__name__=~"beside_%d_.+"})`, i), 1, 3)
	}
	if lost := l.metricsLost(); lost != 0 {
		t.Errorf("%v points are counted as lost", lost)
	}
}

// An exemplar without a value costs no point: neither its own, nor those that follow.
func TestGuestExemplars(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	exemplar := func() []*metricspb.Exemplar {
		return []*metricspb.Exemplar{{TimeUnixNano: nanos(time.Now()), TraceId: make([]byte, 16), SpanId: make([]byte, 8)}}
	}
	buckets := took("e_took", cumulative, 1, time.Now().Add(-time.Minute), time.Now())
	first := buckets.GetHistogram().DataPoints[0]
	first.Exemplars = exemplar()
	next := took("e_took", cumulative, 1, time.Now().Add(-time.Minute), time.Now(), "path", "/next").GetHistogram().DataPoints[0]
	buckets.GetHistogram().DataPoints = append(buckets.GetHistogram().DataPoints, next)
	jobs := total("e_jobs", cumulative, point(1), point(1, "path", "/next"))
	jobs.GetSum().DataPoints[0].Exemplars = exemplar()
	exponential := fine("e_fine", cumulative, 3, 0, 1, time.Now().Add(-time.Minute), time.Now())
	exponential.GetExponentialHistogram().DataPoints[0].Exemplars = exemplar()
	l.mustSend("metrics", export(resource("exemplars"), buckets, jobs, exponential, gauge("beside", point(1))))
	l.has("beside", 1, 1)
	l.has("e_took_seconds_count", 2, 3)
	l.has("e_jobs_total", 2, 1)
	l.has("histogram_count(e_fine_seconds)", 1, 3)
	if lost := l.metricsLost(); lost != 0 {
		t.Errorf("%v points are counted as lost", lost)
	}
}
