package check

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// A failure of the score or of the findings is reported when it has settled, and not at the
// end of the time limit; one that changes, or that nothing is known of yet, is asked on.
func TestFailuresSettle(t *testing.T) {
	verdicts := map[string]func(asked int, since time.Duration) judge.Verdict{
		"stays": func(asked int, _ time.Duration) judge.Verdict {
			return failing(1, fmt.Sprintf("%d e-mail addresses", asked)) // the count grows
		},
		"mends": func(_ int, since time.Duration) judge.Verdict {
			if since > 6*time.Second {
				return judge.Verdict{OK: true, Rows: 1}
			}
			return failing(1, "the score is too low")
		},
		"changes": func(_ int, since time.Duration) judge.Verdict {
			return failing(1, []string{"a", "b"}[int(since/(5*time.Second))%2])
		},
		"nothing yet": func(int, time.Duration) judge.Verdict { return failing(0, "nothing") },
	}
	for name, want := range map[string]struct {
		least, most time.Duration
		status      report.Status
	}{
		"stays":       {settledAfter, settledAfter + 2*time.Second, report.Fail},
		"mends":       {6 * time.Second, 8 * time.Second, report.Pass},
		"changes":     {DefaultTimeout, DefaultTimeout + time.Second, report.Fail},
		"nothing yet": {DefaultTimeout, DefaultTimeout + time.Second, report.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, asked := time.Now(), 0
				r := newRunner(cases.Case{}, Options{Timeout: DefaultTimeout, AbsentTimeout: DefaultAbsentTimeout})
				c := r.pursue(t.Context(), question{name: "findings", rows: "services", settles: true, ask: func(context.Context, judge.Scope) judge.Verdict {
					asked++
					return verdicts[name](asked, time.Since(start))
				}})
				if took := time.Since(start); c.Status != want.status || took < want.least || took > want.most {
					t.Errorf("%s after %s (%s), want %s after %s to %s", c.Status, took, c.Measured, want.status, want.least, want.most)
				}
			})
		})
	}
}

func failing(rows int, message string) judge.Verdict {
	return judge.Verdict{Rows: rows, Failures: []judge.Failure{{Rule: "findings", Message: message}}}
}
