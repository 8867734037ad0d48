package facts

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// small are limits that a test reaches.
func small() limits {
	l := defaultLimits()
	l.services, l.runs = 3, 2
	l.resources, l.attributes, l.operations, l.names, l.metrics, l.series, l.sensitive = 2, 5, 2, 3, 2, 2, 1
	l.metricAttributes, l.metricVariants, l.heldSpans, l.traceSpans = 1, 1, 6, 4
	return l
}

// TestBounds reaches each bound, and reads what the facts then say.
func TestBounds(t *testing.T) {
	gauge := func(name, unit string, attributes ...string) func(pmetric.Metric) {
		return func(m pmetric.Metric) {
			m.SetName(name)
			m.SetUnit(unit)
			points := m.SetEmptyGauge().DataPoints()
			for _, a := range attributes {
				points.AppendEmpty().Attributes().PutStr(a, a)
			}
		}
	}
	for name, test := range map[string]struct {
		send func(*Keeper, int)
		want string
	}{
		"resources": {func(k *Keeper, i int) {
			k.Traces(tracesOf(map[string]any{"service.name": "shop", "service.instance.id": i}, spanOf{trace: 1, id: byte(i)}))
		}, "More than 2 resources"},
		"attributes": {func(k *Keeper, i int) {
			k.Traces(tracesOf(shop, spanOf{trace: 1, id: byte(i), edit: set(fmt.Sprint("key", i), 1)}))
		}, "More than 5 attribute keys"},
		"operations": {func(k *Keeper, i int) {
			k.Traces(tracesOf(shop, spanOf{trace: 1, id: byte(i), name: fmt.Sprint("GET /", i)}))
		}, "More than 2 operations"},
		"names": {func(k *Keeper, i int) {
			k.Traces(tracesOf(shop, spanOf{trace: 1, id: byte(i), name: fmt.Sprint("GET /", i)}))
		}, "More than 3 span names"},
		"long traces": {func(k *Keeper, i int) {
			k.Traces(tracesOf(shop, spanOf{trace: 1, id: byte(i)}))
		}, "A trace had more than 4 spans"},
		"held spans": {func(k *Keeper, i int) {
			k.Traces(tracesOf(shop, spanOf{trace: byte(i), id: 1}))
		}, "More than 6 spans were in traces under way"},
		"metrics": {func(k *Keeper, i int) {
			k.Metrics(metricsOf(shop, gauge(fmt.Sprint("metric", i), "1", "a")))
		}, "More than 2 metric names"},
		"units": {func(k *Keeper, i int) {
			k.Metrics(metricsOf(shop, gauge("load", fmt.Sprint("unit", i), "a")))
		}, "A metric had more than 1 units"},
		"series": {func(k *Keeper, i int) {
			k.Metrics(metricsOf(shop, func(m pmetric.Metric) {
				m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes().PutInt("a", int64(i))
			}))
		}, "A metric had more than 2 series"},
		"metric attributes": {func(k *Keeper, i int) {
			k.Metrics(metricsOf(shop, gauge("load", "1", "a", "b")))
		}, "A metric had more than 1 attribute keys"},
		"sensitive": {func(k *Keeper, i int) {
			k.Traces(tracesOf(shop, spanOf{trace: 1, id: byte(i), edit: set(fmt.Sprint("k", i), "anna@example.com")}))
		}, "More than 1 places"},
		"values": {func(k *Keeper, i int) {
			k.limits.recordValues = 3
			k.Traces(tracesOf(shop, spanOf{trace: 1, id: byte(i), edit: set("a", i)}))
		}, "More than 3 different values"},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := testKeeper()
			k := newKeeper(c.now, small())
			for i := range 10 {
				test.send(k, i+1)
			}
			s := factsOf(t, k, c)
			if !strings.Contains(strings.Join(s.Bounds, "\n"), test.want) {
				t.Errorf("bounds %q, want one with %q", s.Bounds, test.want)
			}
		})
	}
}

func TestServicesAndRunsAreBounded(t *testing.T) {
	_, c := testKeeper()
	k := newKeeper(c.now, small())
	for i := range 10 {
		c.at = c.at.Add(1)
		k.Traces(tracesOf(map[string]any{"service.name": fmt.Sprint("s", i), runid.Attribute: fmt.Sprint("r", i)}, spanOf{trace: 1, id: 1}))
	}
	var names []string
	for _, s := range k.Services() {
		names = append(names, s.Name+fmt.Sprint(s.RunIDs))
	}
	if got := strings.Join(names, " "); got != "s7[] s8[r8] s9[r9]" {
		t.Errorf("there are %s", got)
	}
	values := 0
	for _, r := range k.records {
		values += r.values
	}
	if k.values != values {
		t.Errorf("the Keeper counts %d values, the records have %d", k.values, values)
	}
}

func TestUsualTelemetryReachesNoBound(t *testing.T) {
	k, c := testKeeper()
	for i := range 200 {
		k.Traces(tracesOf(shop, spanOf{trace: byte(i), id: 1, name: "GET /users"}, spanOf{trace: byte(i), id: 2, parent: 1, edit: set("user.id", i)}))
	}
	if s := factsOf(t, k, c); len(s.Bounds) != 0 || s.Spans.Count != 400 {
		t.Errorf("%d spans, bounds %q", s.Spans.Count, s.Bounds)
	}
}
