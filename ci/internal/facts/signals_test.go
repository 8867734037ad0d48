package facts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func severity(n plog.SeverityNumber) func(plog.LogRecord) {
	return func(l plog.LogRecord) { l.SetSeverityNumber(n) }
}

func TestLogTallies(t *testing.T) {
	debug := func(l Logs) Tally { return l.Debug }
	severities := func(l Logs) Tally { return l.WithoutSeverity }
	dropped := func(l Logs) Tally { return l.Dropped }
	production := map[string]any{"service.name": "shop", "deployment.environment.name": "production"}
	for name, test := range map[string]struct {
		tally      func(Logs) Tally
		resource   map[string]any
		edit       func(plog.LogRecord)
		seen, hits uint64
		detail     string
	}{
		"no severity":                {severities, shop, severity(0), 1, 1, "no severity number"},
		"a severity":                 {severities, shop, severity(9), 1, 0, ""},
		"no severity OTLP has":       {severities, shop, severity(99), 1, 1, "no severity number"},
		"INFO is not below INFO":     {debug, production, severity(9), 1, 0, ""},
		"DEBUG":                      {debug, production, severity(8), 1, 1, "production"},
		"no severity is no DEBUG":    {debug, production, severity(0), 0, 0, ""},
		"attributes were dropped":    {dropped, shop, func(l plog.LogRecord) { l.SetDroppedAttributesCount(2) }, 1, 1, "2 attributes"},
		"no attributes were dropped": {dropped, shop, severity(9), 1, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k, c := testKeeper()
			k.Logs(logsOf(test.resource, test.edit))
			checkTally(t, test.tally(factsOf(t, k, c).Logs), test.seen, test.hits, test.detail)
		})
	}
}

func TestDebugInProduction(t *testing.T) {
	k, c := testKeeper()
	begin := c.at
	for _, environment := range []string{"staging", "production", "production"} {
		k.Logs(logsOf(map[string]any{"service.name": "shop", "deployment.environment.name": environment}, severity(5)))
		c.at = c.at.Add(time.Hour)
	}
	l := factsOf(t, k, c).Logs
	if !l.DebugFirst.Equal(begin.Add(time.Hour)) || !l.DebugLast.Equal(begin.Add(2*time.Hour)) || l.Debug.Hits != 3 {
		t.Errorf("first %s, last %s, %d hits", l.DebugFirst, l.DebugLast, l.Debug.Hits)
	}
	if l.Severities["5"] != 3 || l.Count != 3 {
		t.Errorf("severities %v of %d", l.Severities, l.Count)
	}
}

func TestWithoutTrace(t *testing.T) {
	line := func(ms int, traced bool) func(plog.LogRecord) {
		return func(l plog.LogRecord) {
			l.SetTimestamp(pcommon.Timestamp(ms) * 1e6)
			l.Body().SetStr(fmt.Sprintf("line at %d", ms))
			if traced {
				l.SetTraceID(pcommon.TraceID{1})
			}
		}
	}
	server := spanOf{trace: 1, id: 1, kind: ptrace.SpanKindServer, start: 100, end: 200}
	other := map[string]any{"service.name": "shop", "service.instance.id": "2"}
	for name, send := range map[string]func(*Keeper){
		"lines first": func(k *Keeper) {
			k.Logs(logsOf(shop, line(150, false), line(250, false), line(150, true)))
			k.Logs(logsOf(other, line(150, false)))
			k.Traces(tracesOf(shop, server))
		},
		"spans first": func(k *Keeper) {
			k.Traces(tracesOf(shop, server))
			k.Logs(logsOf(shop, line(150, false), line(250, false), line(150, true)))
			k.Logs(logsOf(other, line(150, false)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, c := testKeeper()
			send(k)
			got := factsOf(t, k, c).Logs.WithoutTrace
			checkTally(t, got, 2, 1, "while the process handled a request")
			if len(got.Examples) != 1 || got.Examples[0].Name != "line at 150" {
				t.Errorf("examples %+v", got.Examples)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	k, c := testKeeper()
	histogram := func(temporality pmetric.AggregationTemporality, count uint64, buckets ...uint64) func(pmetric.Metric) {
		return func(m pmetric.Metric) {
			m.SetName("duration")
			m.SetUnit("s")
			m.SetDescription("how long")
			h := m.SetEmptyHistogram()
			h.SetAggregationTemporality(temporality)
			p := h.DataPoints().AppendEmpty()
			p.SetCount(count)
			p.ExplicitBounds().FromRaw([]float64{0.5, 1})
			p.BucketCounts().FromRaw(buckets)
			p.Attributes().PutStr("http.route", "/a")
		}
	}
	cumulative, delta := pmetric.AggregationTemporalityCumulative, pmetric.AggregationTemporalityDelta
	k.Metrics(metricsOf(shop, histogram(cumulative, 3, 3, 0, 0)))
	k.Metrics(metricsOf(shop, histogram(cumulative, 5, 5, 0, 0)))
	k.Metrics(metricsOf(shop, histogram(cumulative, 2, 1, 1, 0))) // the process started again
	k.Metrics(metricsOf(shop, histogram(delta, 4, 4, 0, 0)))
	k.Metrics(metricsOf(shop, func(m pmetric.Metric) {
		m.SetName("load")
		m.SetEmptySum().DataPoints().AppendEmpty().Attributes().PutInt("cpu", 1)
		m.Sum().DataPoints().AppendEmpty().Attributes().PutInt("cpu", 2)
	}))
	s := factsOf(t, k, c)
	if len(s.Metrics) != 2 {
		t.Fatalf("metrics %+v", s.Metrics)
	}
	h, load := s.Metrics[0], s.Metrics[1]
	if got, want := fmt.Sprint(h.Name, h.Units, h.Types, h.Temporalities, h.Boundaries), "duration[s][histogram][cumulative delta][0.5,1]"; strings.ReplaceAll(got, " [", "[") != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if h.Points != 4 || h.Series != 1 || h.Observations != 5+2+4 || h.UsedBuckets != 2 {
		t.Errorf("points %d, series %d, observations %d, used buckets %d; want 4, 1, 11, 2", h.Points, h.Series, h.Observations, h.UsedBuckets)
	}
	if fmt.Sprint(load.Types, load.Units, load.Series) != "[up_down_sum] [] 2" || load.Attributes[0].Values != 2 {
		t.Errorf("load %+v", load)
	}
}

func TestMetricValuesOfTheLastHour(t *testing.T) {
	k, c := testKeeper()
	k.limits.recordValues = 1_000_000
	users := func(from, to int) {
		k.Metrics(metricsOf(shop, func(m pmetric.Metric) {
			m.SetName("requests")
			points := m.SetEmptyGauge().DataPoints()
			for i := range to - from {
				points.AppendEmpty().Attributes().PutInt("user.id", int64(from+i))
			}
		}))
	}
	values := func() uint64 { return factsOf(t, k, c).Metrics[0].Attributes[0].Values }
	users(0, 9_000)
	if got := values(); got != 9_000 {
		t.Errorf("%d values, want 9000", got)
	}
	c.at = c.at.Add(2 * metricWindow)
	users(9_000, 18_999)
	if got := values(); got != 9_999 {
		t.Errorf("%d values of the last hour, want 9999: those of the hour before must make room", got)
	}
	users(20_000, 20_010)
	if got := values(); got != MaxAttributeValues {
		t.Errorf("%d values, want %d", got, MaxAttributeValues)
	}
}

func TestAttributes(t *testing.T) {
	k, c := testKeeper()
	k.Traces(tracesOf(shop,
		spanOf{trace: 1, id: 1, edit: set("user", "anna", "n", 1)},
		spanOf{trace: 1, id: 2, edit: set("user", strings.Repeat("é", 80))},
		spanOf{trace: 1, id: 3, edit: set("user", 7)},
		spanOf{trace: 1, id: 4, edit: set("user", "anna")}))
	i := slices.IndexFunc(factsOf(t, k, c).Attributes, func(a Attribute) bool { return a.Key == "user" })
	a := factsOf(t, k, c).Attributes[i]
	if a.Level != "span" || a.Count != 4 || a.Values != 3 || a.LongestBytes != 160 || fmt.Sprint(a.Types) != "[string int]" || a.TraceID == "" {
		t.Errorf("%+v", a)
	}
	if a.Examples[1] != strings.Repeat("é", 59)+"…" {
		t.Errorf("example %q", a.Examples[1])
	}
}

// The one bucket that all observations fell in is known by its bounds.
func TestOnlyBucket(t *testing.T) {
	for name, test := range map[string]struct {
		bounds  []float64
		buckets []uint64
		want    string
	}{
		"the first":   {[]float64{0.5, 1}, []uint64{3, 0, 0}, `{"up_to":0.5}`},
		"the second":  {[]float64{0.5, 1}, []uint64{0, 3, 0}, `{"above":0.5,"up_to":1}`},
		"the last":    {[]float64{0.5, 1}, []uint64{0, 0, 3}, `{"above":1}`},
		"two of them": {[]float64{0.5, 1}, []uint64{1, 0, 3}, `null`},
		"all in all":  {nil, []uint64{3}, `null`},
		"none":        {[]float64{0.5, 1}, []uint64{0, 0, 0}, `null`},
	} {
		k, c := testKeeper()
		k.Metrics(metricsOf(shop, func(m pmetric.Metric) {
			m.SetName("duration")
			p := m.SetEmptyHistogram().DataPoints().AppendEmpty()
			p.SetCount(3)
			p.ExplicitBounds().FromRaw(test.bounds)
			p.BucketCounts().FromRaw(test.buckets)
		}))
		if have, err := json.Marshal(factsOf(t, k, c).Metrics[0].OnlyBucket); err != nil || string(have) != test.want {
			t.Errorf("%s: %s, want %s (%v)", name, have, test.want, err)
		}
	}
}
