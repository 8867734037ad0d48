package verify

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// manyTraces fills the fake with a run of n whole traces, some a second apart.
func manyTraces(f *fake, n int) traffic.Report {
	begin := time.Now().Add(-time.Minute)
	t := traffic.Report{TracePrefix: "80000000000000aa", Requests: n, BackendRequests: n, Started: begin, Finished: begin.Add(3 * time.Second)}
	for i := 1; i <= n; i++ {
		f.store(exchange{
			from: "traffic", n: i, service: "frontend", method: "GET", route: "/api/users", path: "/api/users", status: 200,
			traceID: traffic.TraceID(t.TracePrefix, i), parent: strings.Repeat("a", 16), sampled: true,
			at: begin.Add(time.Duration(i) * 3 * time.Second / time.Duration(n)),
		})
	}
	return t
}

// TestSearchedTraces finds a run of many traces by searches: whatever a search leaves out
// is looked up, and whatever is wrong with a trace is found as by a look-up.
func TestSearchedTraces(t *testing.T) {
	const n = 3 * fewLookups
	id := func(t traffic.Report, i int) string { return traffic.TraceID(t.TracePrefix, i) }
	backend := hop("backend", query.Server)
	for _, c := range []struct {
		name    string
		do      func(f *fake, t traffic.Report)
		lookups int
		fails   string
	}{
		{name: "all are whole"},
		{name: "a search leaves spans out", lookups: 3, do: func(f *fake, _ traffic.Report) {
			f.searched = func(found []any) []any {
				for _, trace := range found[:min(3, len(found))] {
					trace := trace.(map[string]any)
					trace["spanSets"] = trace["spanSets"].([]any)[1:]
				}
				return found
			}
		}},
		{name: "a search leaves traces out", lookups: 1, do: func(f *fake, t traffic.Report) {
			f.searched = func(found []any) []any {
				return slices.DeleteFunc(found, func(trace any) bool { return trace.(map[string]any)["traceID"] == id(t, 5) })
			}
		}},
		{name: "Tempo refuses to search", lookups: n, do: func(f *fake, _ traffic.Report) {
			f.answers = func(part string, w http.ResponseWriter, r *http.Request) bool {
				if part != "tempo" || r.URL.Path != "/tempo/api/search" {
					return false
				}
				http.Error(w, "too many spans", http.StatusBadRequest)
				return true
			}
		}},
		{name: "a span is missing", lookups: 1, fails: "1 traces are not whole", do: func(f *fake, t traffic.Report) {
			f.traces[id(t, 5)] = slices.DeleteFunc(f.traces[id(t, 5)], isSQL)
		}},
		{name: "a trace is missing", lookups: 1, fails: "1 traces are not stored", do: func(f *fake, t traffic.Report) { delete(f.traces, id(t, 5)) }},
		{name: "a span twice", lookups: 1, fails: "2 server spans of the backend", do: func(f *fake, t traffic.Report) {
			spans := f.traces[id(t, 5)]
			f.traces[id(t, 5)] = append(spans, spans[slices.IndexFunc(spans, backend)])
		}},
		{name: "a second copy, seconds later", lookups: 1, fails: "2 server spans of the frontend", do: func(f *fake, t traffic.Report) {
			spans := slices.Clone(f.traces[id(t, 5)])
			for i := range spans {
				spans[i].ID = "b" + spans[i].ID[1:]
				spans[i].Start, spans[i].End = spans[i].Start.Add(2*time.Second), spans[i].End.Add(2*time.Second)
			}
			f.traces[id(t, 5)] = append(f.traces[id(t, 5)], spans...)
		}},
		{name: "an unjoined trace", lookups: 1, fails: `has the parent "0102030405060708", which is not in the trace`, do: func(f *fake, t traffic.Report) {
			spans := f.traces[id(t, 5)]
			spans[slices.IndexFunc(spans, backend)].ParentID = "0102030405060708"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			run := manyTraces(f, n)
			if c.do != nil {
				c.do(f, run)
			}
			var looked atomic.Int64
			before := f.answers
			f.answers = func(part string, w http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, "/tempo/api/traces/") {
					looked.Add(1)
				}
				return before != nil && before(part, w, r)
			}
			v := f.verifier()
			v.timing = quick(10 * time.Millisecond)
			v.timing.answer, v.timing.traces = longLimit, 100*time.Millisecond
			v.Progress = func(string) {}
			defer v.connect()()
			v.allTraces(t.Context(), run)
			check := v.report.Checks[0]
			if ok := check.Detail == ""; ok != (c.fails == "") || !strings.Contains(check.Detail, c.fails) {
				t.Errorf("it measures %q and says %q, want %q", check.Measured, check.Detail, c.fails)
			}
			// What is wrong is looked up again until the time is up.
			if got := int(looked.Load()); got < c.lookups || c.fails == "" && got != c.lookups {
				t.Errorf("%d traces were looked up, want %d", got, c.lookups)
			}
		})
	}
}
