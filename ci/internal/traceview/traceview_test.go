package traceview

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

const testID = "00000abc000000000000000000000def"

// A sentSpan is a span as an application sends it, however odd. Times are
// nanoseconds since 1970.
type sentSpan struct {
	name, id, parent string
	kind             tracepb.Span_SpanKind
	start, end       uint64
	failed           string
}

// A sentLine is a log line with the trace's id.
type sentLine struct {
	at   time.Time
	text string
}

// backends are a Tempo and a Loki that have the spans and the lines of one trace.
type backends struct {
	spans   []sentSpan
	lines   []sentLine
	queries []url.Values // what Loki was asked
}

// maxRange is the longest time that Loki lets a query cover.
const maxRange = 721 * time.Hour

func (b *backends) trace(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") != testID || len(b.spans) == 0 {
		http.Error(w, "trace not found", http.StatusNotFound)
		return
	}
	scope := &tracepb.ScopeSpans{}
	for _, s := range b.spans {
		id, _ := hex.DecodeString(s.id)
		parent, _ := hex.DecodeString(s.parent)
		span := &tracepb.Span{Name: s.name, SpanId: id, ParentSpanId: parent, Kind: s.kind, StartTimeUnixNano: s.start, EndTimeUnixNano: s.end}
		if s.failed != "" {
			span.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: s.failed}
		}
		scope.Spans = append(scope.Spans, span)
	}
	service := &commonpb.KeyValue{Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "shop"}}}
	raw, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{
		{Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{service}}, ScopeSpans: []*tracepb.ScopeSpans{scope}},
	}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(raw)
}

// logs answers as Loki does: the earliest lines in [start, end), up to the limit.
func (b *backends) logs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	b.queries = append(b.queries, q)
	from, _ := strconv.ParseInt(q.Get("start"), 10, 64)
	to, _ := strconv.ParseInt(q.Get("end"), 10, 64)
	limit, _ := strconv.Atoi(q.Get("limit"))
	switch {
	case limit > 5000:
		http.Error(w, "max entries limit per query exceeded", http.StatusBadRequest)
		return
	case time.Duration(to-from) > maxRange || to <= from:
		http.Error(w, "the query time range exceeds the limit", http.StatusBadRequest)
		return
	}
	values := [][]string{}
	for _, l := range b.lines {
		if at := l.at.UnixNano(); at >= from && at < to && len(values) < limit {
			values = append(values, []string{strconv.FormatInt(at, 10), l.text})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"resultType": "streams", "result": []any{
		map[string]any{"stream": map[string]string{"level": "info", "service_name": "shop"}, "values": values},
	}}})
}

// print prints the trace as the backends have it.
func print(t *testing.T, b *backends) (text string, err error) {
	t.Helper()
	defer func() {
		if tooMuch, ok := recover().(error); ok {
			err = tooMuch
		}
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/traces/{id}", b.trace)
	mux.HandleFunc("GET /loki/api/v1/query_range", b.logs)
	server := httptest.NewServer(mux)
	defer server.Close()
	var out strings.Builder
	trace, err := Fetch(t.Context(), query.Tempo{URL: server.URL, HTTP: server.Client()}, query.Loki{URL: server.URL, HTTP: server.Client()}, testID)
	if err != nil {
		return "", err
	}
	if err := trace.WriteText(limitedWriter{&out}); err != nil || trace.Missing == "" {
		return out.String(), err
	}
	return out.String(), errors.New(trace.Missing)
}

// A limitedWriter ends a printing that does not end by itself.
type limitedWriter struct{ *strings.Builder }

func (w limitedWriter) Write(p []byte) (int, error) {
	if w.Len() > 4<<20 {
		panic(errors.New("the output does not end"))
	}
	return w.Builder.Write(p)
}

var (
	spanRow = regexp.MustCompile(`(?m)^ *-?[0-9.]+ms `)
	lineRow = regexp.MustCompile(`(?m)^[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} `)
)

// Whatever instrumentation has made of a trace, each of its spans is printed once,
// and each of its lines.
func TestOddTraces(t *testing.T) {
	const (
		a, b, c = "aaaaaaaaaaaaaaa1", "bbbbbbbbbbbbbbb2", "ccccccccccccccc3"
		client  = tracepb.Span_SPAN_KIND_CLIENT
		server  = tracepb.Span_SPAN_KIND_SERVER
	)
	now := time.Now().Add(-time.Minute)
	t0 := uint64(now.UnixNano())
	t1 := t0 + 5e6
	day := uint64(24 * time.Hour)
	one := []sentLine{{now, "a line of it"}}
	thousand := make([]sentLine, 1200)
	for i := range thousand {
		thousand[i] = sentLine{now.Add(time.Duration(i) * time.Millisecond / 4), fmt.Sprintf("line %04d", i)}
	}
	moment := make([]sentLine, 3000)
	for i := range moment {
		moment[i] = sentLine{now, fmt.Sprintf("line %04d", i)}
	}
	chain := []sentSpan{{name: "hop", id: fmt.Sprintf("%016x", 1), start: t0, end: t1}}
	for i := 2; i <= 2000; i++ {
		chain = append(chain, sentSpan{name: "hop", id: fmt.Sprintf("%016x", i), parent: fmt.Sprintf("%016x", i-1), start: t0, end: t1})
	}
	var shared []sentSpan
	parent := ""
	for i := range 16 {
		id := fmt.Sprintf("%016x", 0xabc000+i)
		shared = append(shared, sentSpan{name: fmt.Sprintf("hop %d server", i), id: id, parent: parent, kind: server, start: t0, end: t1},
			sentSpan{name: fmt.Sprintf("hop %d client", i), id: id, parent: parent, kind: client, start: t0, end: t1})
		parent = id
	}
	for _, test := range []struct {
		name  string
		spans []sentSpan
		lines []sentLine
		want  []string // patterns that the output matches
	}{
		{"parent and child", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "child", id: b, parent: a, start: t0, end: t1}}, one,
			[]string{`(?m)ms +\+0.0ms +shop root`, `(?m)ms +\+0.0ms +  shop child`}},
		{"no span ids", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "one", parent: a, start: t0, end: t1}, {name: "two", start: t0, end: t1}}, one, nil},
		{"ids of zeros", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "one", id: "0000000000000000", parent: "0000000000000000", start: t0, end: t1}}, one, nil},
		{"its own parent", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "own", id: b, parent: b, start: t0, end: t1}}, one, []string{"own.*own ancestor"}},
		{"a circle alone", []sentSpan{{name: "hen", id: a, parent: b, start: t0, end: t1}, {name: "egg", id: b, parent: a, start: t0, end: t1}}, one, []string{"hen.*own ancestor", "  shop egg"}},
		{"a circle with a tail", []sentSpan{{name: "tail", id: c, parent: b, start: t0, end: t1}, {name: "hen", id: a, parent: b, start: t1, end: t1}, {name: "egg", id: b, parent: a, start: t1, end: t1}}, one, []string{"(?m)   shop (hen|egg) .*own ancestor", "(?m)  shop tail$"}},
		{"client and server share an id", shared, one, []string{`(?m)\+0.0ms +shop hop 0 client`, `(?m)\+0.0ms {7}shop hop 0 server`, `(?m)\+0.0ms {9}shop hop 1 client`}},
		{"one span sent twice", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "root", id: a, start: t0, end: t1}}, one, nil},
		{"a parent that is not there", []sentSpan{{name: "orphan", id: a, parent: c, start: t0, end: t1}}, one, []string{"shop orphan"}},
		{"no start", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "odd", id: b, parent: a, end: t1}}, one, []string{`root`, `odd.*no start time`, `\+0.0ms +shop root`}},
		{"no end", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "odd", id: b, parent: a, start: t0}}, one, []string{`odd.*no end time`}},
		{"no times at all", []sentSpan{{name: "odd", id: b}}, one, []string{`odd.*no start time`}},
		{"times in microseconds", []sentSpan{{name: "odd", id: a, start: t0 / 1000, end: t0/1000 + 5}}, one, []string{`odd.*1970`}},
		{"times over the top", []sentSpan{{name: "root", id: a, start: t0, end: t1}, {name: "odd", id: b, start: 1<<64 - 1, end: 1<<64 - 1}}, one, nil},
		{"ends before it starts", []sentSpan{{name: "odd", id: a, start: t0, end: t0 - 3e9}}, one, []string{`-3000.0ms .*odd.*ends before it starts`}},
		{"tomorrow", []sentSpan{{name: "clock of another zone", id: a, start: t0 + 9*uint64(time.Hour), end: t1 + 9*uint64(time.Hour)}}, one, nil},
		{"a browser whose clock is ahead", []sentSpan{{name: "click", id: a, start: t0 + day/2, end: t1 + day/2}, {name: "served", id: b, parent: a, start: t0, end: t1}}, one, nil},
		{"last week", []sentSpan{{name: "from a phone that was off", id: a, start: t0 - 7*day, end: t1 - 7*day}}, []sentLine{{now.Add(-6 * 24 * time.Hour), "a line of it"}}, []string{now.Add(-6 * 24 * time.Hour).Local().Format("2006-01-02")}},
		{"years ago", []sentSpan{{name: "root", id: a, start: t0 - 4000*day, end: t1 - 4000*day}}, one, nil},
		{"escape sequences", []sentSpan{{name: "red \x1b[31m\x1b[2J alert\nsecond line\u202e", id: a, start: t0, end: t1, failed: "\a9.9ms no row"}},
			[]sentLine{{now, "first\n12:00:00.000 second\r\x1b[1A\x1b[2Koverwritten"}}, []string{`red \\x1b\[31m`, `\\nsecond line`, `second.*overwritten`}},
		{"a broken encoding", []sentSpan{{name: "K\u00e4se", id: a, start: t0, end: t1}}, []sentLine{{now, "caf\u0085e K\u00e4se"}}, []string{`Käse`}},
		{"a thousand lines", []sentSpan{{name: "talks much", id: a, start: t0, end: t1}}, thousand, []string{"line 0000", "line 1199"}},
		{"lines of one moment", []sentSpan{{name: "talks much", id: a, start: t0, end: t1}}, moment, nil},
		{"a long chain", chain, one, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := print(t, &backends{spans: test.spans, lines: test.lines})
			if err != nil {
				t.Fatalf("Print() = %v", err)
			}
			if n := len(spanRow.FindAllString(out, -1)); n != len(test.spans) {
				t.Errorf("%d spans are printed, want %d", n, len(test.spans))
			}
			if n := len(lineRow.FindAllString(out, -1)); n != len(test.lines) {
				t.Errorf("%d lines are printed, want %d", n, len(test.lines))
			}
			for _, pattern := range test.want {
				if !regexp.MustCompile(pattern).MatchString(out) {
					t.Errorf("%q is not printed", pattern)
				}
			}
			if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e) }); i >= 0 {
				t.Errorf("the terminal gets %q", out[i:min(i+10, len(out))])
			}
			if t.Failed() {
				t.Logf("the output:\n%.3000s", out)
			}
		})
	}
}

// Of a trace that was not recorded, because the caller asked for that or because it
// is too old, the log lines are shown all the same.
func TestNoSpans(t *testing.T) {
	out, err := print(t, &backends{lines: []sentLine{{time.Now().Add(-3 * time.Hour), "a line of it"}}})
	if err == nil || !strings.Contains(err.Error(), "traceparent") {
		t.Errorf("Print() = %v, want an error that names the header", err)
	}
	if !strings.Contains(out, "a line of it") {
		t.Errorf("the log line is not printed: %q", out)
	}
	out, err = print(t, &backends{})
	if err == nil || out != "" {
		t.Errorf("Print() of a trace that is nowhere = %v, and prints %q", err, out)
	}
}

// Most traces' lines are found in the minutes around its spans, without asking for a
// month of everybody's.
func TestLinesAreAskedForNarrowly(t *testing.T) {
	now := time.Now()
	b := &backends{spans: []sentSpan{{name: "root", id: "aaaaaaaaaaaaaaa1", start: uint64(now.UnixNano()), end: uint64(now.UnixNano()) + 5}}, lines: []sentLine{{now, "a line"}}}
	if _, err := print(t, b); err != nil {
		t.Fatal(err)
	}
	from, _ := strconv.ParseInt(b.queries[0].Get("start"), 10, 64)
	to, _ := strconv.ParseInt(b.queries[0].Get("end"), 10, 64)
	if len(b.queries) != 1 || time.Duration(to-from) > 30*time.Minute {
		t.Errorf("%d queries, the first over %v", len(b.queries), time.Duration(to-from))
	}
}

func TestParseID(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{testID, testID},
		{"abc000000000000000000000def", testID},
		{"00000ABC000000000000000000000DEF", testID},
		{"00000abc-0000-0000-0000-000000000def", testID},
		{" " + testID + "\n", testID},
		{"0x" + testID, testID},
		{`"` + testID + `",`, testID},
		{"00-" + testID + "-00000000000000ab-01", testID},
		{"00-" + testID + "-00000000000000ab-00", testID},
		{"traceparent: 00-" + testID + "-00000000000000ab-01", testID},
		{"X-Trace-Id: " + testID, testID},
		{"trace_id=" + testID, testID},
		{`"traceID":"abc000000000000000000000def"`, testID},
		{testID + "-00000000000000ab-1", testID},                                        // B3
		{"b3: 00000000000000ab-00000000000000cd-1", "000000000000000000000000000000ab"}, // B3 of 64 bits
		{"abc000000000000000000000def:00000000000000ab:0:1", testID},                    // Jaeger
		{"uber-trace-id: abc000000000000000000000def:ab:0:1", testID},                   //
		{"1-00000abc-000000000000000000000def", testID},                                 // X-Ray
		{"X-Amzn-Trace-Id: Root=1-00000abc-000000000000000000000def;Parent=ab;Sampled=1", testID},
		{"ab", "000000000000000000000000000000ab"},
		{"", ""},
		{"0", ""},
		{strings.Repeat("0", 32), ""},
		{"1" + testID, ""},
		{"the id", ""},
		{testID + " or another", ""},
		{"00000abc\x1b[2J", ""},
		{`abc"} | drop`, ""},
	} {
		got, err := ParseID(test.given)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("ParseID(%q) = %q, %v, want %q", test.given, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "\x1b") {
			t.Errorf("ParseID(%q): the message reaches the terminal as it is: %v", test.given, err)
		}
	}
}
