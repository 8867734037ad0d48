package facts

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// limits bound a Keeper's memory, whatever arrives.
type limits struct {
	// services and runs are the numbers of records; the one that has received nothing for
	// the longest time makes room.
	services, runs int
	// values is the number of hashes of values that all records hold together, each of
	// about 20 bytes; recordValues is that of one record.
	values, recordValues int
	// Of one record:
	resources, attributes, operations, names, metrics, series, sensitive int
	// Of one metric: attributes, and units, types and sets of boundaries.
	metricAttributes, metricVariants int
	// Of one resource: the latest requests, and log records without a trace id.
	requests, untracedLogs int
	// Of all traces that are not judged yet: spans of all, spans of one.
	heldSpans, traceSpans int
	// judged is the number of trace ids that are remembered as judged.
	judged int
	// settle is how long no span of a trace has arrived when it is judged; forget when the
	// judgement is final.
	settle, forget time.Duration
}

// defaultLimits keep a Keeper below about 200 MB: 2,000,000 values are 80 MB, 200,000
// spans are 40 MB.
func defaultLimits() limits {
	return limits{
		services: 200, runs: 100,
		values: 2_000_000, recordValues: 500_000,
		resources: 200, attributes: 1_000, operations: 1_000, names: 50_000, metrics: 2_000, series: 20_000, sensitive: 200,
		metricAttributes: 100, metricVariants: 10,
		requests: 2_048, untracedLogs: 512,
		heldSpans: 200_000, traceSpans: 5_000, judged: 50_000,
		settle: 5 * time.Second, forget: 2 * time.Minute,
	}
}

const (
	// maxText is the length in bytes of a name or a resource's value that is kept.
	maxText = 512
	// maxExample is the length in characters of an attribute's example.
	maxExample = 60
	// maxScanned is the length in bytes of the beginning of a text that is searched for
	// secrets and personal data.
	maxScanned = 16 << 10
	// metricWindow is the time within which the values of a metric's attribute count.
	metricWindow = time.Hour
)

// A bound is one of the limits that a record can reach.
type bound int

const (
	boundResources bound = iota
	boundAttributes
	boundValues
	boundOperations
	boundNames
	boundMetrics
	boundMetricAttributes
	boundMetricVariants
	boundSeries
	boundSensitive
	boundLateSpans
	boundHeldSpans
	boundLongTraces
	bounds
)

// sentence says what was not looked at, n times, at the limits l.
func (b bound) sentence(n uint64, l limits) string {
	switch b {
	case boundResources:
		return fmt.Sprintf("More than %d resources arrived: the list lacks the others.", l.resources)
	case boundAttributes:
		return fmt.Sprintf("More than %d attribute keys arrived: %d attributes with other keys were not looked at.", l.attributes, n)
	case boundValues:
		return fmt.Sprintf("More than %d different values arrived in all: %d values of attributes and series were not compared.", l.recordValues, n)
	case boundOperations:
		return fmt.Sprintf("More than %d operations arrived: the list lacks %d spans of others.", l.operations, n)
	case boundNames:
		return fmt.Sprintf("More than %d span names arrived: the number of names stays there.", l.names)
	case boundMetrics:
		return fmt.Sprintf("More than %d metric names arrived: %d metrics of other names were not looked at.", l.metrics, n)
	case boundMetricAttributes:
		return fmt.Sprintf("A metric had more than %d attribute keys: %d attributes with other keys were not looked at.", l.metricAttributes, n)
	case boundMetricVariants:
		return fmt.Sprintf("A metric had more than %d units or sets of buckets: the lists lack the others.", l.metricVariants)
	case boundSeries:
		return fmt.Sprintf("A metric had more than %d series: the number of series stays there.", l.series)
	case boundSensitive:
		return fmt.Sprintf("More than %d places had values that look like secrets or personal data: the list lacks the others.", l.sensitive)
	case boundLateSpans:
		return fmt.Sprintf("%d spans arrived when their trace had been judged: parents, clock skew, INTERNAL and short spans were not looked at for them.", n)
	case boundHeldSpans:
		return fmt.Sprintf("More than %d spans were in traces under way: for %d spans of further traces parents, clock skew, INTERNAL and short spans were not looked at.", l.heldSpans, n)
	case boundLongTraces:
		return fmt.Sprintf("A trace had more than %d spans: parents and clock skew were not looked at in it.", l.traceSpans)
	}
	return ""
}

// shorten cuts text to n bytes at most, between letters, and replaces bytes that are not
// UTF-8.
func shorten(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// excerpt is the beginning of a text, on one line, of n characters at most.
func excerpt(s string, n int) string {
	s = strings.Join(strings.Fields(shorten(s, 8*n)), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:n-1]) + "…"
}
