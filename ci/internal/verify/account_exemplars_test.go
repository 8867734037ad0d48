package verify

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// An exemplar is dead when its trace is not stored; a trace that was found before is not
// looked up for it again.
func TestDeadExemplars(t *testing.T) {
	t.Parallel()
	const n = 6
	f := startFake(t)
	run := manyTraces(f, n)
	f.marks = nil
	for i := 1; i <= n; i++ {
		f.marks = append(f.marks, query.Exemplar{
			Series:  labels{"__name__": "http_server_request_duration_seconds_bucket", "service_name": "frontend"},
			TraceID: traffic.TraceID(run.TracePrefix, i), Time: run.Finished,
		})
	}
	gone := traffic.TraceID(run.TracePrefix, 5)
	delete(f.traces, gone)
	var looked atomic.Int64
	f.answers = func(_ string, _ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/tempo/api/traces/") {
			looked.Add(1)
		}
		return false
	}
	v := f.verifier()
	defer v.connect()()
	v.stored = map[string]bool{traffic.TraceID(run.TracePrefix, 1): true, traffic.TraceID(run.TracePrefix, 2): true}
	var a Account
	if err := v.accountExemplars(t.Context(), &a, run, nil, run.Finished); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Dead, []string{gone}) || a.Exemplars != n || looked.Load() != n-2 {
		t.Errorf("of %d exemplars %v are dead, after %d look-ups", a.Exemplars, a.Dead, looked.Load())
	}
}
