package findings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/conventions"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

// The longest values that the stores keep whole, in bytes: config/tempo (max_attribute_bytes)
// and config/mimir (max_label_value_length; Alloy cuts to it).
const (
	maxSpanAttribute   = 256 << 10
	maxMetricAttribute = 16 << 10
)

func attributes(s facts.Service) []Finding {
	known := conventions.Load()
	deprecated := map[string]*Finding{}
	var keys []string
	var list []Finding
	for _, a := range s.Attributes {
		if a.Level == "metric" && known.Misplaced(a.Key, a.Level) {
			list = append(list, Finding{
				Kind: MisplacedAttribute, Title: a.Key + " is on points of metrics and belongs on the resource", Evidence: append([]string{}, a.Examples...), Count: a.Count,
				Advice: "Set it on the SDK's resource once, and not at each measurement.",
			})
		}
		if limit := kept(a.Level); limit > 0 && a.LongestBytes > limit {
			list = append(list, Finding{
				Kind: AttributeCut, Title: fmt.Sprintf("%s on a %s has %d bytes, and %d of them are stored", a.Key, a.Level, a.LongestBytes, limit), Evidence: []string{},
				Advice: "Record the beginning only, or set OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT; large bodies belong into a log line or a file.", Count: 1, TraceID: a.TraceID,
			})
		}
		if why := replaced(known, a.Key); why != "" {
			if deprecated[a.Key] == nil {
				deprecated[a.Key] = &Finding{Kind: DeprecatedAttribute, Title: a.Key + " is deprecated" + why, Evidence: []string{}, TraceID: a.TraceID,
					Advice: "Raise the instrumentation's version. Where it has both forms, choose the current one: OTEL_SEMCONV_STABILITY_OPT_IN=http,database,messaging,rpc."}
				keys = append(keys, a.Key)
			}
			f := deprecated[a.Key]
			f.Count += a.Count
			f.Evidence = append(f.Evidence, fmt.Sprintf("on a %s: %s", a.Level, strings.Join(a.Examples[:min(len(a.Examples), 2)], ", ")))
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		list = append(list, *deprecated[key])
	}
	return list
}

// kept is the number of bytes of a value that is stored whole; 0 for levels where no single
// value is cut.
func kept(level string) int {
	switch level {
	case "span", "event", "link", "resource", "scope":
		return maxSpanAttribute
	case "metric":
		return maxMetricAttribute
	}
	return 0
}

// replaced says by what a deprecated key is replaced; "" if it is not deprecated, or only
// moved to conventions of their own.
func replaced(known conventions.Registry, key string) string {
	a, ok := known.Attribute(key)
	if !ok || !a.Deprecated {
		return ""
	}
	if next := known.Successor(key); next != "" {
		return "; its successor is " + next
	}
	if a.Note == "" || strings.HasPrefix(a.Note, "Moved to") {
		return ""
	}
	return ": " + strings.TrimSuffix(a.Note, ".")
}

// fewObservations is the number of observations below which one bucket says nothing.
const fewObservations = 20

// quick is a duration, in seconds, below which a histogram need not tell durations apart: the
// semantic conventions' own buckets begin at 1 to 10 ms, so that all requests of a fast
// application fall into the first of them.
const quick = 0.01

// inSeconds are the units of durations.
var inSeconds = map[string]float64{"s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60, "h": 3600}

// tellsNothing says whether all observations of a histogram fell into a bucket that leaves
// open how large they are: above all bounds, or, of durations, between 0 and a bound that is
// not quick. A bucket between two other bounds says how large they are.
func tellsNothing(m facts.Metric) bool {
	b := m.OnlyBucket
	switch {
	case b == nil:
		return false
	case b.UpTo == nil:
		return b.Above != nil
	case b.Above != nil && *b.Above > 0:
		return false
	}
	return slices.ContainsFunc(m.Units, func(unit string) bool { return *b.UpTo*inSeconds[unit] > quick })
}

func metrics(s facts.Service) []Finding {
	known := conventions.Load()
	var list []Finding
	for _, m := range s.Metrics {
		if old, ok := known.Metrics[m.Name]; ok && old.Deprecated && (old.Note != "" || known.MetricSuccessor(m.Name) != "") && !strings.HasPrefix(old.Note, "Moved to") {
			title := m.Name + " is a deprecated metric"
			if next := known.MetricSuccessor(m.Name); next != "" {
				title += "; its successor is " + next
			}
			list = append(list, Finding{Kind: DeprecatedMetric, Title: title, Evidence: []string{"scope " + m.Scope}, Count: m.Points,
				Advice: strings.TrimSpace(old.Note + " Raise the instrumentation's version, or opt in to the current conventions (OTEL_SEMCONV_STABILITY_OPT_IN)."), TraceID: ""})
		}
		if slices.Contains(m.Temporalities, "delta") {
			list = append(list, Finding{Kind: DeltaConverted, Title: m.Name + " comes as delta and is converted to cumulative", Evidence: []string{fmt.Sprintf("%d points in %d series", m.Points, m.Series)}, Count: m.Points,
				Advice: "Set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative: the conversion loses what a restart of the collector finds under way."})
		}
		if m.Observations >= fewObservations && tellsNothing(m) {
			list = append(list, Finding{Kind: OneBucket, Title: fmt.Sprintf("all %d observations of %s fall into one bucket", m.Observations, m.Name),
				Evidence: []string{fmt.Sprintf("unit %q, buckets %.120s", strings.Join(m.Units, " "), strings.Join(m.Boundaries, " | "))}, Count: m.Observations,
				Advice: "Choose buckets of the measured range, with a view or the instrument's advice: the SDKs' own buckets are for milliseconds, and durations are in seconds. Or use base-2 exponential histograms."})
		}
	}
	return list
}
