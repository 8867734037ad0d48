package verify

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

type labels = map[string]string

// series is one series of the fake Mimir, as the values it took. It has a sample
// at every moment from the first on, unless it has ended.
type series struct {
	labels labels
	points []point
	ended  bool
}

type point struct {
	at    time.Time
	value float64
	// last says that there is no other sample until the next point.
	last bool
}

// counters are the counters that a span makes its service, and Tempo, count.
func (x exchange) counters(s query.Span) []labels {
	route := s.Attributes["http.route"]
	var all []labels
	switch {
	case s.Kind == query.Server:
		all = append(all, labels{"__name__": "http_server_request_duration_seconds_count", "service_name": s.Service, "http_route": route,
			"k8s_namespace_name": "app", "k8s_pod_name": podOf(s.Service)})
	case isSQL(s):
		all = append(all, labels{"__name__": "db_client_operation_duration_seconds_count", "service_name": s.Service})
	case s.Kind == query.Client:
		all = append(all, labels{"__name__": "http_client_request_duration_seconds_count", "service_name": s.Service})
	}
	if !x.sampled || s.Kind == query.Internal {
		return all
	}
	for _, name := range []string{"traces_spanmetrics_calls_total", "traces_spanmetrics_latency_bucket"} {
		all = append(all, labels{"__name__": name, "service": s.Service, "http_route": route, "span_kind": "SPAN_KIND_" + strings.ToUpper(string(s.Kind))})
	}
	if isSQL(s) {
		return append(all, labels{"__name__": "traces_service_graph_request_total", "client": "backend", "server": "users", "connection_type": "database"})
	}
	if s.Kind == query.Client {
		all = append(all, labels{"__name__": "traces_service_graph_request_total", "client": "frontend", "server": "backend"})
	}
	return all
}

// exemplars are those that a span may become.
func (x exchange) exemplars(s query.Span) []query.Exemplar {
	mark := func(l labels) query.Exemplar {
		return query.Exemplar{Series: l, TraceID: x.traceID, SpanID: s.ID, Time: x.at}
	}
	switch {
	case s.Kind == query.Server:
		return []query.Exemplar{
			mark(labels{"__name__": "http_server_request_duration_seconds_bucket", "service_name": s.Service}),
			mark(labels{"__name__": "traces_spanmetrics_latency_bucket", "service": s.Service, "span_kind": "SPAN_KIND_SERVER", "http_route": s.Attributes["http.route"]}),
			mark(labels{"__name__": "demo_duration_seconds_bucket"}),
		}
	case isSQL(s):
		return []query.Exemplar{mark(labels{"__name__": "db_client_operation_duration_seconds_bucket", "service_name": s.Service})}
	}
	return nil
}

// stack lists series that the real components have as soon as they work and have
// lost nothing, as read from a lab that was just brought up.
var stack = map[string]string{
	"alloy": `up otelcol_exporter_sent_spans_total otelcol_exporter_sent_log_records_total otelcol_exporter_sent_metric_points_total
		otelcol_receiver_accepted_spans_total otelcol_receiver_refused_spans_total otelcol_receiver_failed_spans_total
		otelcol_receiver_accepted_log_records_total otelcol_receiver_refused_log_records_total otelcol_receiver_failed_log_records_total
		otelcol_receiver_accepted_metric_points_total otelcol_receiver_refused_metric_points_total otelcol_receiver_failed_metric_points_total`,
	"loki": `up loki_distributor_lines_received_total`,
	"tempo": `up tempo_receiver_refused_spans tempo_discarded_spans_total tempo_metrics_generator_spans_discarded_total
		tempo_metrics_generator_registry_series_limited_total tempo_distributor_spans_received_total
		prometheus_remote_storage_samples_total prometheus_remote_storage_samples_failed_total prometheus_remote_storage_exemplars_failed_total`,
	"mimir": `up cortex_distributor_received_samples_total cortex_distributor_received_exemplars_total cortex_prometheus_rule_evaluations_total`,
}

// seed makes the series that are there before verify begins.
func (f *fake) seed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for job, names := range stack {
		for name := range strings.FieldsSeq(names) {
			value := 0.0
			if name == "up" {
				value = 1
			}
			f.set(labels{"__name__": name, "job": job}, value, 10*time.Minute)
		}
	}
	f.set(labels{"__name__": "loki_discarded_samples_total", "job": "loki"}, 3, 10*time.Minute) // lost before
	for _, exporter := range []string{"loki", "tempo"} {
		f.set(queueOf(exporter), 0, 10*time.Minute)
	}
	f.set(queueOf("scraped"), 90000, 10*time.Minute) // the scrape before this one
	for _, l := range []labels{
		{"__name__": "go_goroutine_count", "service_name": "frontend"},
		{"__name__": "go_goroutine_count", "service_name": "backend"},
		{"__name__": "go_memory_used_bytes", "service_name": "backend"},
		{"__name__": "lab_users_created_total", "service_name": "backend"},
		{"__name__": "lab_users", "service_name": "backend"},
	} {
		f.set(l, 12, 10*time.Minute)
	}
	for _, service := range []string{"frontend", "backend"} {
		for _, name := range []string{"cpu_usage_seconds_total", "memory_working_set_bytes", "network_receive_bytes_total", "fs_writes_bytes_total"} {
			f.set(labels{"__name__": "container_" + name, "namespace": "app", "pod": podOf(service)}, 12, 10*time.Minute)
		}
	}
	f.set(labels{"__name__": "container_fs_usage_bytes", "id": "/"}, 12, 10*time.Minute)
	f.seedDemo()
	// An instance of the backend that was replaced some minutes ago.
	for _, name := range []string{"lab_users", "http_server_request_duration_seconds_count"} {
		l := labels{"__name__": name, "service_name": "backend", "instance": "old"}
		f.set(l, 99, 5*time.Minute)
		f.series[key(l)].ended = true
	}
}

// queueOf is the series of an exporter's queue.
func queueOf(exporter string) labels {
	return labels{"__name__": "otelcol_exporter_queue_size", "job": "alloy", "component_id": "otelcol.exporter.otlphttp." + exporter}
}

func key(l labels) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, name+"="+l[name])
	}
	return strings.Join(parts, ",")
}

// set gives a series a value from some time ago on. The lock must be held.
func (f *fake) set(l labels, value float64, ago time.Duration) {
	s := f.series[key(l)]
	if s == nil {
		s = &series{labels: l}
		f.series[key(l)] = s
	}
	s.points = append(s.points, point{at: time.Now().Add(-ago), value: value})
}

// add lets a counter rise. The lock must be held.
func (f *fake) add(l labels, by float64) {
	value := 0.0
	if s := f.series[key(l)]; s != nil {
		value = s.points[len(s.points)-1].value
	}
	f.set(l, value+by, 0)
}

// change sets series that exist; a test uses it to break something.
func (f *fake) change(name, job string, change func(was float64) float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := labels{"__name__": name, "job": job}
	was := 0.0
	if s := f.series[key(l)]; s != nil {
		was = s.points[len(s.points)-1].value
	}
	f.set(l, change(was), 0)
}

// sample is the last sample of a series at a time, and not older than the window, if
// there is one. The lock must be held.
func (f *fake) sample(s *series, t time.Time, window time.Duration) (at time.Time, value float64, found bool) {
	oldest := t.Add(-window)
	if f.lag != nil {
		t = t.Add(-f.lag(s.labels))
	}
	frozen := f.frozen != nil && f.frozen(s.labels)
	for i, p := range slices.Backward(s.points) {
		if !p.at.After(t) {
			if p.last || (s.ended || frozen) && i == len(s.points)-1 {
				return p.at, p.value, p.at.After(oldest)
			}
			return t, p.value, true
		}
	}
	return t, 0, false
}

var (
	promQL  = regexp.MustCompile(`^(sum|min|max|count)(?: by \((\w+)\))? ?\(last_over_time\(([a-z0-9_:]*)\{(.*)\}\[(\d+)ms\]\)\)$`)
	sampled = regexp.MustCompile(`^timestamp\(([a-z0-9_:]*)\{(.*)\}\)$`)
	matcher = regexp.MustCompile(`^(\w+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*"),?`)
)

// selects parses the inside of {} and tells which labels it selects.
func selects(name, text string) (func(labels) bool, error) {
	var all []func(labels) bool
	if name != "" {
		all = append(all, func(l labels) bool { return l["__name__"] == name })
	}
	for text != "" {
		m := matcher.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("a selector that is not understood: %s", text)
		}
		text = text[len(m[0]):]
		value, err := strconv.Unquote(m[3])
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(m[2], "~") {
			value = regexp.QuoteMeta(value)
		}
		pattern, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return nil, err
		}
		all = append(all, func(l labels) bool { return pattern.MatchString(l[m[1]]) != strings.HasPrefix(m[2], "!") })
	}
	return func(l labels) bool {
		return !slices.ContainsFunc(all, func(holds func(labels) bool) bool { return !holds(l) })
	}, nil
}

// errOther says that an expression is not of the kind whose value matters.
var errOther = errors.New("another expression")

// timestamps evaluates timestamp(…), each series' own.
func (f *fake) timestamps(name, matchers string, at time.Time) (samples []query.Sample, err error) {
	selected, err := selects(name, matchers)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.series {
		if !selected(s.labels) || f.hidden != nil && f.hidden(s.labels) {
			continue
		}
		if t, _, ok := f.sample(s, at, lookbackDelta); ok {
			samples = append(samples, query.Sample{Labels: s.labels, Value: float64(t.UnixMilli()) / 1000})
		}
	}
	return samples, nil
}

// instant evaluates the two kinds of expression whose value verify looks at.
func (f *fake) instant(expr string, at time.Time) ([]query.Sample, error) {
	if m := sampled.FindStringSubmatch(expr); m != nil {
		return f.timestamps(m[1], m[2], at)
	}
	m := promQL.FindStringSubmatch(expr)
	if m == nil {
		return nil, errOther
	}
	selected, err := selects(m[3], m[4])
	if err != nil {
		return nil, err
	}
	ms, err := strconv.Atoi(m[5])
	if err != nil {
		return nil, err
	}
	users := f.users()
	f.mu.Lock()
	defer f.mu.Unlock()
	values, by := map[string][]float64{}, map[string]labels{}
	for _, s := range f.series {
		if !selected(s.labels) || f.hidden != nil && f.hidden(s.labels) {
			continue
		}
		_, one, ok := f.sample(s, at, time.Duration(ms)*time.Millisecond)
		if !ok {
			continue
		}
		if s.labels["__name__"] == "lab_users" && !s.ended {
			one = users
		}
		group := s.labels[m[2]]
		if values[group] = append(values[group], one); m[2] != "" {
			by[group] = labels{m[2]: group}
		}
	}
	var samples []query.Sample
	for group, of := range values {
		sum := 0.0
		for _, value := range of {
			sum += value
		}
		value := map[string]float64{"sum": sum, "min": slices.Min(of), "max": slices.Max(of), "count": float64(len(of))}[m[1]]
		samples = append(samples, query.Sample{Labels: by[group], Value: value})
	}
	return samples, nil
}
