package httpx

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRequestID(t *testing.T) {
	l := newHarness(t, RouterConfig{})
	var seen string
	l.Handle("GET /", func(_ http.ResponseWriter, r *http.Request) error { seen = RequestID(r.Context()); return nil })
	for _, tt := range []struct {
		sent string
		kept bool
	}{
		{"abc-DEF_123", true},
		{strings.Repeat("a", 64), true},
		{strings.Repeat("a", 65), false},
		{"", false},
		{"a b", false},
		{"a\nb", false},
		{"<script>", false},
		{"ünïcode", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(HeaderRequestID, tt.sent)
		res, _ := l.do(r)
		got := res.Header().Get(HeaderRequestID)
		if got != seen || (got == tt.sent) != tt.kept || !requestIDPattern.MatchString(got) {
			t.Errorf("sent %q, answered %q, handler saw %q; kept should be %v", tt.sent, got, seen, tt.kept)
		}
	}
	if id := RequestID(context.Background()); id != "" {
		t.Errorf("outside a request the id is %q", id)
	}
}

// A caller that asks for no recording is told that the trace was not sampled. The log
// lines have the trace id all the same.
func TestTraceNotSampled(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	for flags, sampled := range map[string]string{"00": "false", "01": ""} {
		l := newHarness(t, RouterConfig{})
		l.Handle("GET /", fails(typed{}))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Traceparent", "00-"+id+"-b7ad6b7169203331-"+flags)
		res, _ := l.do(r)
		if got := res.Header(); got.Get(HeaderTraceID) != id || got.Get(HeaderTraceSampled) != sampled {
			t.Errorf("flags %s: %s %q, %s %q", flags, HeaderTraceID, got.Get(HeaderTraceID), HeaderTraceSampled, got.Get(HeaderTraceSampled))
		}
		if p := problem(t, res); p.TraceID != id || (p.TraceSampled != nil && !*p.TraceSampled) != (sampled != "") {
			t.Errorf("flags %s: the problem is %+v", flags, p)
		}
		for _, message := range []string{"request", "request failed"} {
			if lines := l.logged(t, message); len(lines) != 1 || lines[0]["trace_id"] != id {
				t.Errorf("flags %s: %q is logged as %v", flags, message, lines)
			}
		}
		if n := len(l.spans.Ended()); (n == 0) != (sampled != "") {
			t.Errorf("flags %s: %d spans", flags, n)
		}
	}
}

// The server continues the client's trace, and answers with its id.
func TestTraceContinues(t *testing.T) {
	l := newHarness(t, RouterConfig{})
	l.Handle("GET /", func(http.ResponseWriter, *http.Request) error { return nil })
	const id = "0af7651916cd43dd8448eb211c80319c"
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", "00-"+id+"-b7ad6b7169203331-01")
	res, _ := l.do(r)
	if got := res.Header().Get(HeaderTraceID); got != id {
		t.Errorf("%s is %q, want %q", HeaderTraceID, got, id)
	}
	if got := l.spans.Ended()[0].Parent().SpanID().String(); got != "b7ad6b7169203331" {
		t.Errorf("the span's parent is %s", got)
	}
}
