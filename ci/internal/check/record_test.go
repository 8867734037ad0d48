package check

import (
	"context"
	"errors"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// With Record a case is driven, and no expectation is asked; what could not be written down
// fails the case.
func TestRecord(t *testing.T) {
	for _, failure := range []error{nil, errors.New("nothing has arrived")} {
		c := aCase(t, "works")
		o := options(Judge{Traces: func(context.Context, cases.TracesExpectation, judge.Scope) judge.Verdict {
			t.Error("an expectation was asked")
			return judge.Verdict{}
		}})
		var recorded judge.Scope
		o.Record = func(_ context.Context, _ cases.Case, s judge.Scope) (string, error) {
			recorded = s
			return "2 traces", failure
		}
		r, err := Run(t.Context(), []cases.Case{c}, o)
		if err != nil {
			t.Fatal(err)
		}
		if recorded.RunID == "" || len(recorded.TraceIDs) != 1 {
			t.Errorf("recorded with %+v, want a run id and the request's trace id", recorded)
		}
		last := r.Report.Checks[len(r.Report.Checks)-1]
		if last.Name != "recorded" || last.Failed() != (failure != nil) || failure == nil && (last.Measured != "2 traces" || last.Status != report.Pass) {
			t.Errorf("with the error %v the last check is %+v", failure, last)
		}
	}
}
