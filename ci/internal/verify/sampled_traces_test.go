package verify

import (
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
)

// sampled lets the fake's Alloy sample as a real one's does: keep says of a trace that need
// not be kept whether it is, and of one that must be whether it is not.
func (f *fake) sampled(t *testing.T, kept sampling.Traces, wrong func(x exchange, must bool) bool) {
	t.Helper()
	component, err := os.ReadFile("../sampling/testdata/component.json")
	if err != nil {
		t.Fatal(err)
	}
	f.answers = func(part string, w http.ResponseWriter, r *http.Request) bool {
		if part != "alloy" || r.URL.Path == "/alloy/-/ready" {
			return false
		}
		w.Write(component) //nolint:errcheck // a client that is gone
		return true
	}
	f.spans = func(x exchange, spans []query.Span) []query.Span {
		failed := slices.ContainsFunc(spans, func(s query.Span) bool { return s.Failed })
		must := kept.Keeps(x.traceID) || failed || x.delay >= kept.Slow
		if must != (wrong != nil && wrong(x, must)) {
			return spans
		}
		return nil
	}
}

// TestSampled verifies a lab that keeps a share of its traces.
func TestSampled(t *testing.T) {
	kept := sampling.Traces{Percent: 10, Slow: sampling.UsualSlow, Wait: sampling.UsualWait}
	once := func(is func(x exchange, must bool) bool) func(exchange, bool) bool {
		done := false
		return func(x exchange, must bool) bool {
			if done || x.from != "traffic" || x.n%7 == 0 || // which leaves exemplars
				!is(x, must) {
				return false
			}
			done = true
			return true
		}
	}
	for _, c := range []struct {
		name  string
		wrong func(x exchange, must bool) bool
		says  string
	}{
		{name: "as it should be"},
		{"a trace that its id keeps is missing", once(func(x exchange, _ bool) bool { return kept.Keeps(x.traceID) && x.status < 500 }), "1 traces are not stored"},
		{"a trace with an error is missing", once(func(x exchange, _ bool) bool { return !kept.Keeps(x.traceID) && x.status >= 500 }), "1 traces are not stored"},
		{"a trace is stored that need not be", once(func(_ exchange, must bool) bool { return !must }), "1 traces are stored, though"},
		{"all are stored", func(_ exchange, must bool) bool { return !must }, "traces are stored, though"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			f.sampled(t, kept, c.wrong)
			v := f.verifier()
			v.Profile.Requests = 200
			v.timing = quick(longLimit)
			if c.wrong != nil {
				v.timing.traces = 100*time.Millisecond - kept.Wait - 2*time.Second // the wait is added
			}
			r, err := v.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tampering := tampering{fails: []string{stored}, says: c.says}
			if c.wrong == nil {
				if !r.OK() {
					t.Errorf("it fails:\n%s", details(r))
				}
			} else if wrong := tampering.wrong(result{r, nil}); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}
