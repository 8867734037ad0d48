package dashboards

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// Series that the tests make up: a name with labels, a first value, and the growth per
// second. The labels are those of cAdvisor on containerd, where a pod has one series
// without a container, and one for each of its containers.
type madeUp map[string]struct{ start, growth float64 }

var (
	outside = madeUp{
		`process_cpu_seconds_total{job="alloy"}`:                     {0, 0.1},
		`process_resident_memory_bytes{job="alloy"}`:                 {300, 0},
		`go_memory_used_bytes{service_name="backend", type="other"}`: {30, 0},
		`go_memory_used_bytes{service_name="backend", type="stack"}`: {3, 0},
	}
	inside = madeUp{
		`container_cpu_usage_seconds_total{namespace="app", pod="backend-1"}`:                                     {0, 0.5},
		`container_cpu_usage_seconds_total{namespace="app", pod="backend-1", container="backend"}`:                {0, 0.4},
		`container_cpu_usage_seconds_total{namespace="kube-system", pod="etcd"}`:                                  {0, 2},
		`container_cpu_usage_seconds_total{id="/"}`:                                                               {0, 4},
		`container_memory_working_set_bytes{namespace="app", pod="backend-1"}`:                                    {50, 0},
		`container_memory_working_set_bytes{namespace="app", pod="backend-1", container="backend"}`:               {48, 0},
		`container_spec_memory_limit_bytes{namespace="app", pod="backend-1", container="backend"}`:                {64, 0},
		`container_memory_working_set_bytes{namespace="app", pod="frontend-1", container="frontend"}`:             {20, 0},
		`container_spec_memory_limit_bytes{namespace="app", pod="frontend-1", container="frontend"}`:              {0, 0}, // none
		`container_network_receive_bytes_total{namespace="app", pod="backend-1", interface="eth0"}`:               {0, 7},
		`container_network_receive_bytes_total{namespace="app", pod="backend-1", interface="lo"}`:                 {0, 1000},
		`container_network_transmit_bytes_total{namespace="app", pod="backend-1", interface="eth0"}`:              {0, 9},
		`container_fs_writes_bytes_total{namespace="app", pod="backend-1", device="/dev/a"}`:                      {0, 5},
		`container_fs_writes_bytes_total{namespace="app", pod="backend-1", device="/dev/b"}`:                      {0, 6},
		`container_fs_writes_bytes_total{namespace="app", pod="backend-1", container="backend", device="/dev/a"}`: {0, 5},
		`container_fs_usage_bytes{id="/", node="n", device="/dev/a"}`:                                             {30, 0},
		`container_fs_limit_bytes{id="/", node="n", device="/dev/a"}`:                                             {40, 0},
	}
)

// TestContainers evaluates the panels about containers, which the local target has
// no data for, with Prometheus' engine.
func TestContainers(t *testing.T) {
	both := maps.Clone(outside) // in a cluster the stack's processes are measured, too
	maps.Copy(both, inside)
	for _, c := range []struct {
		panel, query string
		in           madeUp
		want         map[string]string
	}{
		{"CPU", "A", outside, map[string]string{"alloy": "0.1"}},
		{"CPU", "A", both, map[string]string{"backend-1": "0.5"}},
		{"Memory", "A", outside, map[string]string{"alloy": "300", "backend": "33"}},
		{"Memory", "A", both, map[string]string{"backend-1": "50", "frontend-1": "20"}},
		{"Network", "A", both, map[string]string{"backend-1 in": "7"}},
		{"Network", "B", both, map[string]string{"backend-1 out": "9"}},
		{"Disk writes", "A", both, map[string]string{"backend-1": "11"}},
		{"Disk writes", "A", outside, map[string]string{}},
		{"Memory of the limit", "A", both, map[string]string{"backend-1": "0.75"}},
		{"Disks of the nodes", "A", both, map[string]string{"n /dev/a": "0.75"}},
	} {
		if diff := cmp.Diff(c.want, evaluate(t, c.panel, c.query, c.in)); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", c.panel, diff)
		}
	}
}

// Each cell of the heatmap counts the requests of its own time, however wide it is.
func TestHeatmapCountsEachRequestOnce(t *testing.T) {
	const bucket = `http_server_request_duration_seconds_bucket{service_name="frontend", k8s_namespace_name="", http_route="/", le=`
	requests := madeUp{bucket + `"0.1"}`: {0, 1.5}, bucket + `"+Inf"}`: {0, 2}}
	d, q := find(t, "How durations are spread", "A")
	for _, step := range []time.Duration{5 * time.Second, 10 * time.Second, time.Minute} {
		got := requests.evaluate(t, q.Fill(d.Values(nil), step, 30*time.Minute))
		if len(got) != 2 {
			t.Fatalf("%d buckets, want 2", len(got))
		}
		for _, s := range got {
			want := 1.5 * step.Seconds()
			if s.Metric.Get("le") == "+Inf" {
				want = 2 * step.Seconds()
			}
			if s.F != want {
				t.Errorf("steps of %v: a cell counts %v requests up to %s s, and there were %v", step, s.F, s.Metric.Get("le"), want)
			}
		}
	}
}

// evaluate returns the values of a query of the Performance dashboard by legend.
func evaluate(t *testing.T, panel, refID string, series madeUp) map[string]string {
	t.Helper()
	d, q := find(t, panel, refID)
	return series.byLegend(t, d, q, nil)
}

// byLegend returns the values of a query by legend, with these values of variables.
func (m madeUp) byLegend(t *testing.T, d Dashboard, q Query, chosen map[string]string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, s := range m.evaluate(t, q.Fill(d.Values(chosen), 10*time.Second, 30*time.Minute)) {
		legend := q.Legend
		s.Metric.Range(func(l labels.Label) { legend = strings.ReplaceAll(legend, "{{"+l.Name+"}}", l.Value) })
		values[legend] = fmt.Sprintf("%.4g", s.F)
	}
	return values
}

// find returns a query of the Performance dashboard.
func find(t *testing.T, panel, refID string) (Dashboard, Query) {
	t.Helper()
	return findIn(t, "lab-performance", panel, refID)
}

// findIn returns a query of the dashboard with the uid.
func findIn(t *testing.T, uid, panel, refID string) (Dashboard, Query) {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				if d.UID == uid && p.Title == panel && q.RefID == refID {
					return d, q
				}
			}
		}
	}
	t.Fatalf("there is no panel %q with a query %s in %s", panel, refID, uid)
	return Dashboard{}, Query{}
}

// evaluate runs a query after five minutes of the series, with a sample every 10 s.
func (m madeUp) evaluate(t *testing.T, expr string) promql.Vector {
	t.Helper()
	const length = 5 * time.Minute
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 100_000, Timeout: 10 * time.Second})
	defer engine.Close()
	selected := func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		return m.matching(t, length, matchers)
	}
	q, err := engine.NewInstantQuery(t.Context(), &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: selected}}, nil,
		expr, time.Unix(0, 0).Add(length))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	v, err := q.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return v
}

func (m madeUp) matching(t *testing.T, length time.Duration, matchers []*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for name, course := range m {
		series, err := parser.NewParser(parser.Options{}).ParseMetric(name)
		if err != nil {
			t.Fatal(err)
		}
		matches := true
		for _, matcher := range matchers {
			matches = matches && matcher.Matches(series.Get(matcher.Name))
		}
		if !matches {
			continue
		}
		var samples []chunks.Sample
		for at := time.Duration(0); at <= length; at += 10 * time.Second {
			samples = append(samples, point{at: at.Milliseconds(), value: course.start + course.growth*at.Seconds()})
		}
		found = append(found, storage.NewListSeries(series, samples))
	}
	return &seriesSet{all: found, at: -1}
}

// seriesSet is a storage.SeriesSet of a slice.
type seriesSet struct {
	storage.SeriesSet
	all []storage.Series
	at  int
}

func (s *seriesSet) Next() bool                      { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series              { return s.all[s.at] }
func (*seriesSet) Err() error                        { return nil }
func (*seriesSet) Warnings() annotations.Annotations { return nil }

// point is a sample: a time in milliseconds, and a value.
type point struct {
	chunks.Sample
	at    int64
	value float64
}

func (p point) T() int64                 { return p.at }
func (p point) ST() int64                { return 0 }
func (p point) F() float64               { return p.value }
func (p point) Type() chunkenc.ValueType { return chunkenc.ValFloat }
