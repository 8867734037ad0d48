package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

const (
	cumulative = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	delta      = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
)

// export returns a request with metrics of one sender.
func export(sender *resourcepb.Resource, all ...*metricspb.Metric) *collectormetrics.ExportMetricsServiceRequest {
	return &collectormetrics.ExportMetricsServiceRequest{ResourceMetrics: []*metricspb.ResourceMetrics{{
		Resource: sender, ScopeMetrics: []*metricspb.ScopeMetrics{{Metrics: all}},
	}}}
}

// point returns a value of now; pairs are its attributes.
func point(value float64, pairs ...any) *metricspb.NumberDataPoint {
	return &metricspb.NumberDataPoint{TimeUnixNano: nanos(time.Now()), Attributes: attributes(pairs...),
		Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: value}}
}

func gauge(name string, points ...*metricspb.NumberDataPoint) *metricspb.Metric {
	return &metricspb.Metric{Name: name, Data: &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: points}}}
}

func total(name string, t metricspb.AggregationTemporality, points ...*metricspb.NumberDataPoint) *metricspb.Metric {
	return &metricspb.Metric{Name: name, Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{
		AggregationTemporality: t, IsMonotonic: true, DataPoints: points}}}
}

// took returns a histogram of seconds with n observations in each of three buckets.
func took(name string, t metricspb.AggregationTemporality, n uint64, start, end time.Time, pairs ...any) *metricspb.Metric {
	sum := 3 * float64(n)
	return &metricspb.Metric{Name: name, Unit: "s", Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{
		AggregationTemporality: t, DataPoints: []*metricspb.HistogramDataPoint{{
			StartTimeUnixNano: nanos(start), TimeUnixNano: nanos(end), Count: 3 * n, Sum: &sum, Attributes: attributes(pairs...),
			ExplicitBounds: []float64{0.1, 1}, BucketCounts: []uint64{n, n, n}}}}}}
}

// fine returns an exponential histogram of seconds with 3 times n observations.
func fine(name string, t metricspb.AggregationTemporality, scale, offset int32, n uint64, start, end time.Time) *metricspb.Metric {
	sum := 4.5 * float64(n)
	return &metricspb.Metric{Name: name, Unit: "s", Data: &metricspb.Metric_ExponentialHistogram{ExponentialHistogram: &metricspb.ExponentialHistogram{
		AggregationTemporality: t, DataPoints: []*metricspb.ExponentialHistogramDataPoint{{
			StartTimeUnixNano: nanos(start), TimeUnixNano: nanos(end), Count: 3 * n, Sum: &sum, Scale: scale,
			Positive: &metricspb.ExponentialHistogramDataPoint_Buckets{Offset: offset, BucketCounts: []uint64{3 * n}}}}}}}
}

// instant asks Mimir until the answer is right or its patience is over, and returns the last
// answer.
func (l *testLab) instant(promQL string, right func([]query.Sample) bool) (samples []query.Sample) {
	l.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		var err error
		samples, err = l.mimir().Instant(l.Context(), promQL, time.Now())
		if err != nil {
			l.Fatal(err)
		}
		if right(samples) || time.Now().After(end) {
			return samples
		}
	}
}

// has checks that a query of Mimir returns that number of series, and that each has the
// value, unless the value is negative.
func (l *testLab) has(promQL string, series int, value float64) []query.Sample {
	l.Helper()
	right := func(samples []query.Sample) bool {
		for _, s := range samples {
			if value >= 0 && s.Value != value {
				return false
			}
		}
		return len(samples) == series
	}
	samples := l.instant(promQL, right)
	if !right(samples) {
		l.Errorf("%s has %d series, want %d of %v:\n%s", promQL, len(samples), series, value, labels(samples))
	}
	return samples
}

// metricsLost returns Alloy's and Mimir's own counters of lost points.
func (l *testLab) metricsLost() float64 {
	l.Helper()
	return l.counter("mimir", `cortex_discarded_samples_total`) +
		l.counter("alloy", `otelcol_(exporter_send_failed_metric_points_total|processor_filter_datapoints_filtered_total|deltatocumulative_datapoints_total\{.*error=)`)
}

// Mimir has the right totals of an SDK that exports deltas, and histograms of all scales,
// beside the usual cumulative ones.
func TestGuestDeltas(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	sender, begin := resource("deltas"), time.Now()
	for i := range uint64(5) {
		now := time.Now()
		before, n := now.Add(-time.Second), i+1
		d, c := point(3), point(3*float64(n))
		d.StartTimeUnixNano, c.StartTimeUnixNano = nanos(before), nanos(begin)
		upDown := total("d_queue", delta, d)
		upDown.GetSum().IsMonotonic = false
		l.mustSend("metrics", export(sender,
			total("d_jobs", delta, d), upDown, total("c_jobs", cumulative, c),
			took("d_took", delta, 1, before, now), took("c_took", cumulative, n, begin, now),
			fine("d_fine", delta, 3, 0, 1, before, now), fine("d_coarse", delta, -5, 0, 1, before, now),
			fine("c_fine", cumulative, 20, 600_000, n, begin, now), fine("c_coarse", cumulative, -7, -1, n, begin, now),
		))
		time.Sleep(time.Second)
	}
	for promQL, want := range map[string]float64{
		"c_jobs_total": 15, "d_jobs_total": 15, "d_queue": 15,
		"c_took_seconds_count": 15, "d_took_seconds_count": 15, `d_took_seconds_bucket{le="1.0"} or d_took_seconds_bucket{le="1"}`: 10,
		"histogram_count(c_fine_seconds)": 15, "histogram_count(d_fine_seconds)": 15,
		"histogram_count(c_coarse_seconds)": 15, "histogram_count(d_coarse_seconds)": 15, "histogram_sum(d_coarse_seconds)": 22.5,
	} {
		l.has(promQL, 1, want)
	}
	if lost := l.metricsLost(); lost != 0 {
		t.Errorf("%v points are counted as lost", lost)
	}
}

// Attributes of points may have the name of a label that the way to Mimir adds, or a name
// that cannot be a label.
func TestGuestCollidingAttributes(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	sender := resource("collide", "service.instance.id", "i-1", "service.namespace", "shop", "job", "own")
	for i, key := range []string{"service.name", "service_name", "service-name", "job", "instance", "service.instance.id", "le", "quantile",
		"__name__", "otel_scope_name", "k8s.pod.name", "k8s_namespace_name", "имя", "名前", "", "___", "..."} {
		name := fmt.Sprintf("attribute_%d", i)
		l.mustSend("metrics", export(sender, gauge(name, point(1, key, "mine"), point(2, key, "yours"))))
		samples := l.has(fmt.Sprintf(`%s{job="shop/collide",instance="i-1",service_name="collide"}`, name), 2, -1)
		kept := map[string]bool{}
		for _, s := range samples {
			for _, value := range s.Labels {
				kept[value] = true
			}
		}
		if !kept["mine"] || !kept["yours"] {
			t.Errorf("attribute %q: its values are lost:\n%s", key, labels(samples))
		}
	}
	now := time.Now()
	l.mustSend("metrics", export(sender,
		took("buckets", cumulative, 1, now.Add(-time.Minute), now, "le", "mine", "path", "/a"),
		gauge("near", point(1, "user.id", "a", "user_id", "b"), point(2, "user.id", "b", "user_id", "b")),
		gauge("federated", point(1, "job", "a", "exported_job", "c"), point(2, "job", "a", "exported_job", "d")),
		gauge("名前", point(1)), gauge("年齢", point(1)), gauge("", point(1))))
	l.has(`buckets_seconds_bucket{exported_le="mine"}`, 3, -1)
	l.has(`near`, 2, -1)
	l.has(`federated{job="shop/collide",exported_job="a"}`, 2, -1)
	l.has(`{__name__=~"metric_.*",job="shop/collide"}`, 3, 1)
	l.has(`{__name__=~"mine|yours"}`, 0, -1)
	if lost := l.metricsLost(); lost != 0 {
		t.Errorf("%v points are counted as lost", lost)
	}
}

// Two processes of one service stay apart, whatever their resource attributes are.
func TestGuestProcesses(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	begin := time.Now().Add(-time.Minute)
	for i, twins := range [][2]*resourcepb.Resource{
		{resource("t", "service.instance.id", "a"), resource("t", "service.instance.id", "b")},
		{resource("t", "host.name", "h", "process.pid", 1), resource("t", "host.name", "h", "process.pid", 2)},
		{resource("t", "process.pid", 1), resource("t", "process.pid", 2)},
		{resource("t", "container.id", "a"), resource("t", "container.id", "b")},
		{resource("t", "k8s.pod.uid", "a"), resource("t", "k8s.pod.uid", "b")},
		{resource("t", "host.name", "a"), resource("t", "host.name", "b")},
		{resource("t"), resource("t")},
	} {
		name := fmt.Sprintf("twins_%d", i)
		for n := range 4 {
			for k, twin := range twins {
				p := point(float64(100*k + n))
				p.StartTimeUnixNano = nanos(begin.Add(time.Duration(k) * time.Millisecond))
				l.mustSend("metrics", export(twin, total(name, cumulative, p)))
			}
			time.Sleep(20 * time.Millisecond)
		}
		l.has(fmt.Sprintf(`%s_total{instance!="",job="t"}`, name), 2, -1)
		l.has(fmt.Sprintf(`resets(%s_total[1m])`, name), 2, 0)
	}
}

// A service without a name has the same name in each store.
func TestGuestWithoutName(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	for i, unnamed := range []*resourcepb.Resource{{}, resource(""), resource(" ")} {
		name := fmt.Sprintf("unnamed_%d", i)
		l.mustSend("metrics", export(unnamed, gauge(name, point(1))))
		l.has(name+`{job="unknown_service",service_name="unknown_service"}`, 1, 1)

		span, id := newSpan("unnamed")
		request := spans("", span)
		request.ResourceSpans[0].Resource = unnamed
		l.mustSend("traces", request)
		if s := l.storedSpan("", unhex(id)); s.Service != "unknown_service" || s.Resource["job"] != "unknown_service" {
			t.Errorf("Tempo has the span as one of %q, job %q", s.Service, s.Resource["job"])
		}
	}
	for i, odd := range []*resourcepb.Resource{resource(notUTF8), {Attributes: attributes("service.name", 7)}, resource(strings.Repeat("x", 3000))} {
		name, want := fmt.Sprintf("odd_name_%d", i), []string{mendedUTF8, "7", strings.Repeat("x", 255)}[i]
		l.mustSend("metrics", export(odd, gauge(name, point(1))))
		if samples := l.has(name, 1, 1); len(samples) == 1 && (samples[0].Labels["job"] != want || samples[0].Labels["service_name"] != want) {
			t.Errorf("the service %.20q is %v", want, samples[0].Labels)
		}
	}
}

// Points without a time, with a time in another unit, or late are stored. Points from a very
// different time are left out and counted.
func TestGuestTimes(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	sender := resource("clocks")
	at := func(name string, time uint64) {
		p := point(1)
		p.TimeUnixNano = time
		l.mustSend("metrics", export(sender, gauge(name, p)))
	}
	now := time.Now()
	at("time_zero", 0)
	at("time_seconds", uint64(now.Unix()))
	at("time_milliseconds", uint64(now.UnixMilli()))
	at("time_microseconds", uint64(now.UnixMicro()))
	at("time_ahead", nanos(now.Add(5*time.Minute)))
	for _, name := range []string{"time_zero", "time_seconds", "time_milliseconds", "time_microseconds"} {
		l.has(name, 1, 1)
	}
	// Late points, each older than the one before.
	for _, age := range []time.Duration{0, 10 * time.Second, time.Minute, 2 * time.Hour, 11 * time.Hour} {
		at("time_late", nanos(now.Add(-age)))
	}
	l.has("count_over_time(time_late[12h])", 1, 5)
	if lost := l.metricsLost(); lost != 0 {
		t.Errorf("%v points are counted as lost", lost)
	}
	at("time_other", nanos(now.Add(-30*24*time.Hour)))
	at("time_other", nanos(now.Add(9*time.Hour)))
	at("time_other", 1<<64-1)
	l.eventually("the points of other times are counted", func() bool {
		return l.counter("alloy", `otelcol_processor_filter_datapoints_filtered_total`) == 3
	})
}

// Points within the limits are stored, points over them are counted, and other senders' points
// in the same request are stored.
func TestGuestWideMetrics(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	with := func(n int) *metricspb.NumberDataPoint {
		p := point(1)
		for i := range n {
			p.Attributes = append(p.Attributes, attributes(fmt.Sprintf("key.%d", i), "v")...)
		}
		return p
	}
	wide := resource("wide")
	for i := range 140 {
		wide.Attributes = append(wide.Attributes, attributes(fmt.Sprintf("about.%d", i), "v")...)
	}
	huge := took("buckets_2000", cumulative, 1, time.Now().Add(-time.Minute), time.Now())
	dp := huge.GetHistogram().DataPoints[0]
	dp.ExplicitBounds, dp.BucketCounts, dp.Count = nil, []uint64{1}, 2001
	for i := range 2000 {
		dp.ExplicitBounds, dp.BucketCounts = append(dp.ExplicitBounds, float64(i)), append(dp.BucketCounts, 1)
	}
	l.mustSend("metrics", export(wide,
		gauge("labels_33", with(33)), gauge("labels_90", with(90)), huge,
		gauge("long", point(1, "text", strings.Repeat("a", 3000)), point(1, "text", strings.Repeat("a", 30000)+"b"), point(1, "text", strings.Repeat("a", 30000)+"c")),
		gauge("not_utf8", point(1, "text", notUTF8)), gauge("no_points"), &metricspb.Metric{Name: "no_type"}, gauge("neighbour_a", point(1))))
	l.has("labels_33", 1, 1)
	l.has("labels_90", 1, 1)
	l.has("long", 3, 1)
	l.has("not_utf8", 1, 1)
	l.has("neighbour_a", 1, 1)
	l.has("buckets_2000_seconds_bucket", 2001, -1)
	l.has(`target_info{about_139="v"}`, 1, 1)
	if lost := l.metricsLost(); lost != 0 {
		t.Errorf("%v points are counted as lost", lost)
	}
	l.mustSend("metrics", export(wide, gauge("labels_140", with(140)), gauge("neighbour_b", point(1))))
	l.has("neighbour_b", 1, 1)
	l.eventually("the point with 140 labels is counted", func() bool {
		return l.counter("alloy", `otelcol_processor_filter_datapoints_filtered_total`) == 1
	})
	if lost := l.counter("alloy", `otelcol_exporter_send_failed_metric_points_total`); lost != 0 {
		t.Errorf("Alloy has given up on %v points", lost)
	}
}
