package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// Where Alloy sends a copy to another endpoint, verify says when that endpoint refuses it.
// Without --forward there is no such check: the tests of a healthy lab would see it.
func TestForwardedCopy(t *testing.T) {
	queue := labels{"__name__": "lab_forward_copy_exporter_queue_size", "job": "alloy"}
	refused := labels{"__name__": "lab_forward_copy_given_up_total", "job": "alloy", "signal": "spans", "reason": "send"}
	for name, test := range map[string]struct {
		before, during float64
		want           report.Status
	}{
		"takes all":               {0, 0, report.Pass},
		"refused before, no more": {5, 0, report.Pass},
		"refuses":                 {0, 7, report.Fail},
		"refuses on":              {5, 7, report.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tampering{do: func(f *fake) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.set(queue, 0, 10*time.Minute)
				if test.before > 0 {
					f.set(refused, test.before, 10*time.Minute)
				}
				f.seen = func(x exchange) {
					if x.n == 7 && test.during > 0 {
						f.mu.Lock()
						defer f.mu.Unlock()
						f.add(refused, test.during)
					}
				}
			}}
			r := c.run(t, longLimit)
			for _, have := range r.Checks {
				if have.Group != "forward" {
					continue
				}
				if have.Status != test.want || test.want == report.Fail && (have.Measured != "7" || !strings.Contains(have.Detail, "refused the copy")) {
					t.Errorf("%+v, want %s", have, test.want)
				}
				return
			}
			t.Errorf("no check of the copy (%v)", r.err)
		})
	}
}
