package verify

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// An account finds whole traces by searches, and looks up the others alone: those that are
// lost, and those with a span twice, of whichever kind.
func TestAccountOfTraces(t *testing.T) {
	t.Parallel()
	const n = 20
	f := startFake(t)
	run := manyTraces(f, n)
	id := func(i int) string { return traffic.TraceID(run.TracePrefix, i) }
	delete(f.traces, id(3))
	f.traces[id(4)] = append(f.traces[id(4)], f.traces[id(4)][slices.IndexFunc(f.traces[id(4)], isSQL)])
	f.traces[id(5)] = append(f.traces[id(5)], f.traces[id(5)][slices.IndexFunc(f.traces[id(5)], hop("backend", query.Server))])
	f.traces[id(6)] = slices.DeleteFunc(f.traces[id(6)], hop("backend", query.Server))
	var looked atomic.Int64
	f.answers = func(_ string, _ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/tempo/api/traces/") {
			looked.Add(1)
		}
		return false
	}
	var answers []traffic.Answer
	for i := 1; i <= n; i++ {
		answers = append(answers, traffic.Answer{N: i, TraceID: id(i), Status: http.StatusOK})
	}
	v := f.verifier()
	v.timing = quick(10 * time.Millisecond)
	v.stored = map[string]bool{}
	defer v.connect()()
	a := Account{Services: map[string]*ServiceAccount{target.Frontend: {}, target.Backend: {}}}
	if err := v.accountTraces(t.Context(), &a, run, answers, time.Now()); err != nil {
		t.Fatal(err)
	}
	if have := a.Services[target.Frontend].NoSpan; !slices.Equal(have, []int{3}) {
		t.Errorf("without a span of the frontend: %v", have)
	}
	if have := a.Services[target.Backend].NoSpan; !slices.Equal(have, []int{3, 6}) {
		t.Errorf("without a span of the backend: %v", have)
	}
	if !slices.Equal(a.Doubled, []int{4, 5}) || len(a.Torn) != 0 || looked.Load() != 4 || !v.stored[id(1)] || v.stored[id(3)] {
		t.Errorf("%v are twice, %v torn, %d were looked up, of %d", a.Doubled, a.Torn, looked.Load(), n)
	}
}
