package facts

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A metric is a Metric that still counts.
type metric struct {
	Metric
	attributes attributeTable
	// series have for each histogram's series the number of observations of its last
	// cumulative point.
	series map[uint64]uint64
	used   map[string][]bool
}

// readMetrics counts the metrics of a resource.
func (r *record) readMetrics(res *resource, scopes pmetric.ScopeMetricsSlice) {
	for _, sm := range scopes.All() {
		r.observeAll(levelScope, sm.Scope().Attributes(), "")
		for _, m := range sm.Metrics().All() {
			r.readMetric(res, sm.Scope().Name(), m)
		}
	}
}

func (r *record) readMetric(res *resource, scope string, m pmetric.Metric) {
	name := shorten(m.Name(), maxText)
	entry, ok := r.metrics[name]
	if !ok {
		if len(r.metrics) >= r.keeper.limits.metrics {
			r.reached[boundMetrics]++
			return
		}
		entry = &metric{
			Metric:     Metric{Name: name, Description: shorten(m.Description(), maxText), Scope: shorten(scope, maxText)},
			attributes: attributeTable{}, series: map[uint64]uint64{}, used: map[string][]bool{},
		}
		r.metrics[name] = entry
	}
	r.variant(&entry.Units, shorten(m.Unit(), maxText))
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		r.variant(&entry.Types, "gauge")
		for _, p := range m.Gauge().DataPoints().All() {
			r.readPoint(res, entry, p.Attributes())
		}
	case pmetric.MetricTypeSum:
		r.readSum(res, entry, m.Sum())
	case pmetric.MetricTypeHistogram:
		r.readHistogram(res, entry, m.Histogram())
	case pmetric.MetricTypeExponentialHistogram:
		r.variant(&entry.Types, "exponential_histogram")
		r.temporality(entry, m.ExponentialHistogram().AggregationTemporality())
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			r.readPoint(res, entry, p.Attributes())
		}
	case pmetric.MetricTypeSummary:
		r.variant(&entry.Types, "summary")
		for _, p := range m.Summary().DataPoints().All() {
			r.readPoint(res, entry, p.Attributes())
		}
	}
}

func (r *record) readSum(res *resource, entry *metric, sum pmetric.Sum) {
	if sum.IsMonotonic() {
		r.variant(&entry.Types, "sum")
	} else {
		r.variant(&entry.Types, "up_down_sum")
	}
	r.temporality(entry, sum.AggregationTemporality())
	for _, p := range sum.DataPoints().All() {
		r.readPoint(res, entry, p.Attributes())
	}
}

func (r *record) readHistogram(res *resource, entry *metric, h pmetric.Histogram) {
	r.variant(&entry.Types, "histogram")
	r.temporality(entry, h.AggregationTemporality())
	cumulative := h.AggregationTemporality() == pmetric.AggregationTemporalityCumulative
	for _, p := range h.DataPoints().All() {
		series, kept := r.readPoint(res, entry, p.Attributes())
		switch last := entry.series[series]; {
		case !kept:
		case cumulative && p.Count() >= last:
			entry.Observations += p.Count() - last
			entry.series[series] = p.Count()
		default: // a delta, or the first point after a reset
			entry.Observations += p.Count()
			if cumulative {
				entry.series[series] = p.Count()
			}
		}
		boundaries := joined(p.ExplicitBounds())
		if !r.variant(&entry.Boundaries, boundaries) {
			continue
		}
		used := entry.used[boundaries]
		for i, n := range p.BucketCounts().All() {
			if i >= len(used) {
				used = append(used, false)
			}
			used[i] = used[i] || n > 0
		}
		entry.used[boundaries] = used
	}
}

// readPoint counts a point and its attributes. It returns the hash of its series, and
// whether the series counts.
func (r *record) readPoint(res *resource, entry *metric, attributes pcommon.Map) (series uint64, kept bool) {
	r.points++
	entry.Points++
	for key, value := range attributes.All() {
		r.observe(&entry.attributes, levelMetric, key, value, "")
		r.observe(&r.attributes, levelMetric, key, value, "")
	}
	series = res.hash*31 + r.hashMap(attributes)
	if _, ok := entry.series[series]; ok {
		return series, true
	}
	limits := r.keeper.limits
	switch {
	case len(entry.series) >= limits.series:
		r.reached[boundSeries]++
		return series, false
	case r.values >= limits.recordValues || r.keeper.values >= limits.values:
		r.reached[boundValues]++
		return series, false
	}
	entry.series[series] = 0
	r.values++
	r.keeper.values++
	return series, true
}

// variant adds s to a short list of what differs between metrics of one name. It returns
// false when the list is full.
func (r *record) variant(list *[]string, s string) bool {
	if slices.Contains(*list, s) {
		return true
	}
	if len(*list) >= r.keeper.limits.metricVariants {
		r.reached[boundMetricVariants]++
		return false
	}
	*list = append(*list, s)
	return true
}

func (r *record) temporality(entry *metric, t pmetric.AggregationTemporality) {
	switch t {
	case pmetric.AggregationTemporalityCumulative:
		r.variant(&entry.Temporalities, "cumulative")
	case pmetric.AggregationTemporalityDelta:
		r.variant(&entry.Temporalities, "delta")
	}
}

// maxBoundaries is the number of a histogram's bounds that are compared and listed.
const maxBoundaries = 500

// joined writes bounds with commas between them.
func joined(bounds pcommon.Float64Slice) string {
	var b strings.Builder
	for i, bound := range bounds.All() {
		if i == maxBoundaries {
			b.WriteString(",…")
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatFloat(bound, 'g', -1, 64))
	}
	return b.String()
}
