package findings

import (
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

func hits(name string) facts.Tally {
	return facts.Tally{Seen: 9, Hits: 2, Examples: []facts.Example{{TraceID: "abc", Name: name, Detail: "why"}}}
}

func histogram(used uint64) facts.Metric {
	return facts.Metric{Name: "d", Units: []string{"s"}, Types: []string{"histogram"}, Boundaries: []string{"5,10"}, Observations: 100, UsedBuckets: used}
}

// inBucket is a histogram whose observations all fell into the bucket between two bounds; a
// negative bound is none.
func inBucket(unit string, observations uint64, above, upTo float64) facts.Metric {
	m := facts.Metric{Name: "d", Units: []string{unit}, Types: []string{"histogram"}, Boundaries: []string{"0,5,10"}, Observations: observations, UsedBuckets: 1, OnlyBucket: &facts.Bucket{}}
	if above >= 0 {
		m.OnlyBucket.Above = &above
	}
	if upTo >= 0 {
		m.OnlyBucket.UpTo = &upTo
	}
	return m
}

// One bucket is a finding where it leaves open how large the observations are, and no finding
// where an application is fast, or always the same.
func TestOneBucket(t *testing.T) {
	for name, test := range map[string]struct {
		metric facts.Metric
		found  bool
	}{
		"seconds in milliseconds' buckets":         {inBucket("s", 100, 0, 5), true},
		"the same without a bound at 0":            {inBucket("s", 100, -1, 5), true},
		"above all bounds":                         {inBucket("s", 100, 10, -1), true},
		"bytes above all bounds":                   {inBucket("By", 100, 10000, -1), true},
		"30 requests under 5 ms":                   {inBucket("s", 30, -1, 0.005), false},
		"a million requests under 10 ms":           {inBucket("s", 1_000_000, 0, 0.01), false},
		"milliseconds under 5 ms":                  {inBucket("ms", 100, 0, 5), false},
		"milliseconds under a second":              {inBucket("ms", 100, 0, 1000), true},
		"always between two bounds":                {inBucket("s", 100, 0.25, 0.5), false},
		"small counts":                             {inBucket("{item}", 100, 0, 5), false},
		"few observations":                         {inBucket("s", 19, 0, 5), false},
		"one bucket that is all there is":          {inBucket("s", 100, -1, -1), false},
		"facts of an inspector that tells no more": {histogram(1), false},
	} {
		if got := Find(facts.Service{Metrics: []facts.Metric{test.metric}}); (len(got) == 1 && got[0].Kind == OneBucket) != test.found {
			t.Errorf("%s: found %+v", name, got)
		}
	}
}

// faults are facts with exactly one finding each.
var faults = []struct {
	kind  Kind
	facts facts.Service
	title string
}{
	{SensitiveData, facts.Service{Sensitive: []facts.Sensitive{{Kind: "email", Where: "log body", Count: 2, Example: "a****m"}}}, "log body holds what looks like an e-mail address"},
	{ClockSkew, facts.Service{Spans: facts.Spans{Skewed: hits("GET /")}}, "2 of 9 spans begin before"},
	{DroppedBySDK, facts.Service{Spans: facts.Spans{Dropped: hits("GET /")}}, "2 of 9 spans"},
	{DroppedBySDK, facts.Service{Logs: facts.Logs{Dropped: hits("line")}}, "2 of 9 log records"},
	{LogWithoutTrace, facts.Service{Logs: facts.Logs{WithoutTrace: hits("line")}}, "carry no trace id"},
	{MissingRoute, facts.Service{Spans: facts.Spans{WithoutRoute: hits("GET")}}, "no http.route"},
	{MissingErrorType, facts.Service{Spans: facts.Spans{WithoutErrorType: hits("GET")}}, "do not say what failed"},
	{IDInSpanName, facts.Service{Spans: facts.Spans{Names: 2, Operations: []facts.Operation{{Name: "GET /users/42", Count: 3, TraceID: "abc"}, {Name: "GET /users/{id}"}}}}, "1 span names hold an id, of 2 names"},
	{AttributeCut, facts.Service{Attributes: []facts.Attribute{{Key: "prompt", Level: "span", LongestBytes: 300_000}}}, "prompt on a span has 300000 bytes"},
	{DeprecatedAttribute, facts.Service{Attributes: []facts.Attribute{{Key: "http.method", Level: "span", Count: 4}, {Key: "http.method", Level: "metric", Count: 4}}}, "http.method is deprecated; its successor is http.request.method"},
	{DeprecatedMetric, facts.Service{Metrics: []facts.Metric{{Name: "cpu.time", Units: []string{"s"}}}}, "its successor is system.cpu.time"},
	{MisplacedAttribute, facts.Service{Attributes: []facts.Attribute{{Key: "service.name", Level: "metric"}}}, "service.name is on points of metrics"},
	{DeltaConverted, facts.Service{Metrics: []facts.Metric{{Name: "d", Temporalities: []string{"delta"}}}}, "d comes as delta"},
	{OneBucket, facts.Service{Metrics: []facts.Metric{inBucket("s", 100, 0, 5)}}, "all 100 observations of d"},
}

func TestFind(t *testing.T) {
	found := map[Kind]bool{}
	for _, fault := range faults {
		t.Run(string(fault.kind), func(t *testing.T) {
			got := Find(fault.facts)
			if len(got) != 1 || got[0].Kind != fault.kind || !strings.Contains(got[0].Title, fault.title) || got[0].Advice == "" || got[0].Evidence == nil {
				t.Errorf("found %+v", got)
			}
			found[fault.kind] = true
		})
	}
	for _, kind := range Kinds {
		if !found[kind] {
			t.Errorf("no fault leads to %s", kind)
		}
	}
	quiet := facts.Service{
		Metrics:    []facts.Metric{histogram(2), {Name: "http.server.request.duration", Units: []string{"s"}}},
		Attributes: []facts.Attribute{{Key: "http.request.method", Level: "span", LongestBytes: 4}, {Key: "lab.run.id", Level: "resource"}},
		Spans:      facts.Spans{Operations: []facts.Operation{{Name: "GET /v1/users/{id}"}}},
	}
	if got := Find(quiet); len(got) != 0 {
		t.Errorf("nothing is wrong, found %+v", got)
	}
}

func TestIDInName(t *testing.T) {
	for _, name := range []string{
		"GET /users/42", "GET /users/42/orders", "load 123e4567-e89b-12d3-a456-426614174000", "SELECT * FROM users WHERE id = 42", "job 5f4dcc3b5aa765d61d8327deb882cf99",
		"order 100234", "mail ada@example.com", "event 01ARZ3NDEKTSV4RRFFQ69G5FAV", "task#7",
	} {
		if idIn(name) == "" {
			t.Errorf("no id is found in %q", name)
		}
	}
	for _, name := range []string{
		"GET /v1/users/{id}", "GET /api/v2/users/:id", "POST", "SELECT users", "http2 stream", "middleware - expressInit", "SHA256", "GET /oauth2/token",
		"request handler - /", "rpc.Service/Method", "base64.decode", "feedbacks", "resource fetch", "GET /files/*", "tls13 handshake", "deadbeefcafe", "s3.PutObject",
	} {
		if id := idIn(name); id != "" {
			t.Errorf("%q is taken for an id in %q", id, name)
		}
	}
}
