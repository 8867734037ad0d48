// Package facts describes what one service sent over OTLP, as it came in: before the
// collector mended it, and before a store merged, renamed or cut it.
//
// The facts are what the Instrumentation Score's rules and the lab's own findings are
// decided by. They are counts with a few examples, never the data itself: their size is
// bounded, whatever a service sends. Where a bound was reached, Service.Bounds says so.
package facts

import "time"

// Service is what one service sent. A service is a service.name.
type Service struct {
	// Name is service.name; "" for resources without one.
	Name string `json:"name"`
	// RunID is the run that the facts are narrowed to; "" when they are of all runs.
	RunID string `json:"run_id"`
	// FirstSeen and LastSeen are when the first and the last request with data of this
	// service arrived.
	FirstSeen time.Time  `json:"first_seen"`
	LastSeen  time.Time  `json:"last_seen"`
	Resources []Resource `json:"resources"`
	Spans     Spans      `json:"spans"`
	Logs      Logs       `json:"logs"`
	Metrics   []Metric   `json:"metrics"`
	// Attributes are the attributes of all signals, one entry for each level and key.
	Attributes []Attribute `json:"attributes"`
	// Sensitive are values that look like secrets or personal data.
	Sensitive []Sensitive `json:"sensitive"`
	// Bounds are the bounds that this service reached, each as a sentence: what was not
	// looked at any more.
	Bounds []string `json:"bounds"`
}

// Resource is one resource, told apart by all its attributes.
type Resource struct {
	// Attributes are the values as text.
	Attributes map[string]string `json:"attributes"`
	SchemaURL  string            `json:"schema_url"`
	// Signals are "traces", "logs" and "metrics": those that came with this resource.
	Signals   []string  `json:"signals"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// A Tally says how often a property was looked for and how often it was there.
type Tally struct {
	// Seen is the number of items that the property could have been found at.
	Seen uint64 `json:"seen"`
	// Hits is the number of items that have the property.
	Hits uint64 `json:"hits"`
	// Examples are some of the hits, at most [MaxExamples].
	Examples []Example `json:"examples"`
}

// MaxExamples is the number of examples that a tally keeps.
const MaxExamples = 5

// Example points to one item. Fields that an item does not have are "".
type Example struct {
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
	// Name is the span's or the metric's name, or the beginning of the log line. It holds
	// no value that [Sensitive] found.
	Name string `json:"name"`
	// Detail says in a few words what was found.
	Detail string `json:"detail"`
}

// Bounds of the Instrumentation Score's specification (commit of 2026-04-09).
const (
	// MaxInternalSpans is the number of INTERNAL spans that one service may have in one
	// trace (SPA-001).
	MaxInternalSpans = 10
	// MaxShortSpans is the number of spans shorter than [ShortSpan] that a trace may have
	// (SPA-005).
	MaxShortSpans = 20
	// ShortSpan is the duration below which a span is short (SPA-005).
	ShortSpan = 5 * time.Millisecond
	// MaxAttributeValues is the number of values that an attribute of a metric reaches
	// when it fails (MET-001), in an hour.
	MaxAttributeValues = 10_000
)

// Spans is what is known of a service's spans.
type Spans struct {
	Count uint64 `json:"count"`
	// Errors is the number of spans whose status is Error.
	Errors uint64 `json:"errors"`
	// Operations are the names and kinds of the spans, the most frequent first.
	Operations []Operation `json:"operations"`
	// Names is the number of different span names: [Operations] may be cut.
	Names uint64 `json:"names"`

	// ManyInternal counts traces; hits have more than [MaxInternalSpans] INTERNAL spans
	// of this service.
	ManyInternal Tally `json:"many_internal"`
	// Orphans counts spans with a parent id; hits name no span of the trace, in traces
	// that were complete long enough ago to be judged. A span below the lab's own client,
	// which exports none, counts as a root.
	Orphans Tally `json:"orphans"`
	// ClientRoots counts root spans; hits are of kind CLIENT.
	ClientRoots Tally `json:"client_roots"`
	// ManyShort counts traces; hits have more than [MaxShortSpans] spans of this service
	// that are shorter than [ShortSpan].
	ManyShort Tally `json:"many_short"`
	// WithoutRoute counts SERVER spans of HTTP requests that matched a route (status
	// below 404 or above 405); hits have no http.route.
	WithoutRoute Tally `json:"without_route"`
	// WithoutErrorType counts spans whose status is Error; hits have no error.type and no
	// exception event.
	WithoutErrorType Tally `json:"without_error_type"`
	// Skewed counts spans whose parent is of another resource and known; hits begin
	// before their parent does.
	Skewed Tally `json:"skewed"`
	// Dropped counts spans; hits say that the SDK dropped attributes, events or links.
	Dropped Tally `json:"dropped"`
}

// Operation is the spans of one name and kind.
type Operation struct {
	Name string `json:"name"`
	// Kind is internal, server, client, producer, consumer or unspecified.
	Kind   string `json:"kind"`
	Count  uint64 `json:"count"`
	Errors uint64 `json:"errors"`
	// TotalSeconds is the sum of the spans' durations.
	TotalSeconds float64 `json:"total_seconds"`
	// TraceID is of one of the spans.
	TraceID string `json:"trace_id"`
	// Scope is the instrumentation scope's name.
	Scope string `json:"scope"`
}

// Logs is what is known of a service's log records.
type Logs struct {
	Count uint64 `json:"count"`
	// Severities are the numbers of records by OTLP's severity number; "0" is none.
	Severities map[string]uint64 `json:"severities"`
	// WithoutSeverity counts records; hits have no severity number.
	WithoutSeverity Tally `json:"without_severity"`
	// Debug counts records with a severity number; hits are below INFO (1 to 8). Example's
	// Detail has the resource's deployment environment.
	Debug Tally `json:"debug"`
	// DebugFirst and DebugLast are the times of the first and the last DEBUG record (5 to 8)
	// whose resource says that it is in production, as the records have them; zero when there
	// is none (LOG-001).
	DebugFirst time.Time `json:"debug_first"`
	DebugLast  time.Time `json:"debug_last"`
	// WithoutTrace counts records that were written while the same process handled a
	// request; hits carry no trace id.
	WithoutTrace Tally `json:"without_trace"`
	// Dropped counts records; hits say that the SDK dropped attributes.
	Dropped Tally `json:"dropped"`
}

// Metric is what is known of the metrics of one name.
type Metric struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Units are the different units that came with this name, most often one.
	Units []string `json:"units"`
	// Types are gauge, sum, up_down_sum, histogram, exponential_histogram and summary.
	Types []string `json:"types"`
	// Temporalities are cumulative and delta.
	Temporalities []string `json:"temporalities"`
	// Boundaries are the different sets of explicit bounds of a histogram, each as the
	// bounds with commas between them.
	Boundaries []string `json:"boundaries"`
	Points     uint64   `json:"points"`
	// Series is the number of different sets of attributes and resources.
	Series uint64 `json:"series"`
	// Observations and UsedBuckets are of histograms with explicit bounds: the number of
	// observations, and of buckets that any of them fell in.
	Observations uint64 `json:"observations"`
	UsedBuckets  uint64 `json:"used_buckets"`
	// OnlyBucket is the one bucket that all observations fell in; absent where they fell in
	// several, or where there is only one bucket.
	OnlyBucket *Bucket `json:"only_bucket,omitempty"`
	// Attributes are the attributes of its points. Values counts those of the last hour.
	Attributes []Attribute `json:"attributes"`
	// Scope is the instrumentation scope's name.
	Scope string `json:"scope"`
}

// Bucket is a bucket of a histogram, by its bounds in the metric's unit. A bound is absent
// where the bucket has none on that side.
type Bucket struct {
	Above *float64 `json:"above,omitempty"`
	UpTo  *float64 `json:"up_to,omitempty"`
}

// Attribute is one attribute's key at one level.
type Attribute struct {
	Key string `json:"key"`
	// Level is resource, scope, span, event, link, log or metric.
	Level string `json:"level"`
	Count uint64 `json:"count"`
	// Types are string, bool, int, double, array, map and bytes.
	Types []string `json:"types"`
	// Values is the number of different values, exact up to [MaxAttributeValues] and then
	// that number.
	Values uint64 `json:"values"`
	// Examples are some values, cut to 60 characters; a value that looks like a secret or
	// personal data is masked.
	Examples []string `json:"examples"`
	// LongestBytes is the length of the longest value.
	LongestBytes int `json:"longest_bytes"`
	// TraceID is of a span that has the attribute; "" at other levels.
	TraceID string `json:"trace_id"`
}

// Sensitive is a value that looks like a secret or personal data.
type Sensitive struct {
	// Kind is what it looks like: token, email, card_number, url_credentials, private_key,
	// sql_value or password.
	Kind string `json:"kind"`
	// Where is the level and the key ("span http.url"), "log body" or "span name".
	Where string `json:"where"`
	Count uint64 `json:"count"`
	// Example is the value with all but its first and last two characters masked.
	Example string `json:"example"`
	TraceID string `json:"trace_id"`
}
