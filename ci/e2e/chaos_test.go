package e2e

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/chaos"
)

// A killed Mimir loses nothing, and `lab chaos` proves it. How soon the signals are fresh and
// the requests answered depends on the machine: the nightly run judges that.
func TestChaos(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if stdout, _, code := l.try("chaos", "kill-nobody"); code != 2 || stdout != "" {
		t.Errorf("a scenario that there is not: exit code %d, %s", code, stdout)
	}
	stdout, said, _ := l.try("chaos", "kill-mimir", "-o", "json")
	var r chaos.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Scenarios) != 1 {
		t.Fatalf("%v\n%s\n%s", err, stdout, said)
	}
	o := r.Scenarios[0]
	if o.Error != "" || o.Requests.Acknowledged == 0 || len(o.Actions) != 1 || o.Actions[0].What != "kill" {
		t.Errorf("%s\n%s", stdout, said)
	}
	for _, promise := range []string{chaos.Users, chaos.Traces, chaos.Lines, chaos.Counters} {
		i := slices.IndexFunc(o.Verdicts, func(v chaos.Verdict) bool { return v.Promise == promise })
		if i < 0 || o.Verdicts[i].Outcome != chaos.Kept {
			t.Errorf("%s is not kept:\n%s", promise, stdout)
		}
	}
}
