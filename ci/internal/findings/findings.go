// Package findings says what else is odd or risky in what a service sends, beside the
// Instrumentation Score and apart from it: a finding does not count towards the score.
package findings

import (
	"slices"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

// A Kind names what was found. The names are stable: acceptance cases list the kinds that
// they allow.
type Kind string

// The kinds; docs/score.md says what each is.
const (
	DeprecatedAttribute Kind = "deprecated_attribute"
	DeprecatedMetric    Kind = "deprecated_metric"
	MisplacedAttribute  Kind = "misplaced_attribute"
	MissingRoute        Kind = "missing_route"
	IDInSpanName        Kind = "id_in_span_name"
	MissingErrorType    Kind = "missing_error_type"
	LogWithoutTrace     Kind = "log_without_trace"
	SensitiveData       Kind = "sensitive_data"
	DeltaConverted      Kind = "delta_converted"
	AttributeCut        Kind = "attribute_cut"
	ClockSkew           Kind = "clock_skew"
	DroppedBySDK        Kind = "dropped_by_sdk"
	OneBucket           Kind = "one_bucket"
)

// Kinds are all kinds, in the order in which [Find] lists them.
var Kinds = []Kind{
	SensitiveData, ClockSkew, DroppedBySDK, AttributeCut, LogWithoutTrace, IDInSpanName, MissingRoute,
	MissingErrorType, DeprecatedAttribute, DeprecatedMetric, MisplacedAttribute, DeltaConverted, OneBucket,
}

// Finding is one thing that was found, once for each attribute, metric or operation.
type Finding struct {
	Kind Kind `json:"kind"`
	// Title says what was found, in one sentence without a full stop.
	Title string `json:"title"`
	// Evidence are examples.
	Evidence []string `json:"evidence"`
	// Advice says what to change.
	Advice string `json:"advice"`
	// Count is the number of spans, log records, attributes or points that have it.
	Count uint64 `json:"count"`
	// TraceID is of one of them; "" if none is of a trace.
	TraceID string `json:"trace_id"`
}

// Find returns what was found, the kinds in the order of [Kinds].
func Find(s facts.Service) []Finding {
	list := []Finding{}
	for _, find := range []func(facts.Service) []Finding{sensitive, tallies, attributes, operations, metrics} {
		list = append(list, find(s)...)
	}
	slices.SortStableFunc(list, func(a, b Finding) int { return slices.Index(Kinds, a.Kind) - slices.Index(Kinds, b.Kind) })
	return list
}
