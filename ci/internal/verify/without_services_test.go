package verify

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// startAlone starts a fake whose lab has no services, and whose rules and dashboards are
// the stack's and the services'.
func startAlone(t *testing.T) *fake {
	f := startFake(t)
	f.addresses.Frontend, f.addresses.Backend = "", ""
	return f
}

// Without the services verify checks the stack, skips the rest, and names what it skips.
func TestWithoutServices(t *testing.T) {
	f := startAlone(t)
	r, err := f.verifier().run(t.Context())
	if err != nil || !r.OK() {
		t.Fatalf("error %v, failures:\n%s", err, details(r))
	}
	passed := map[string]int{}
	for _, c := range r.Checks {
		switch c.Status {
		case report.Pass:
			passed[c.Group]++
		case report.Skip:
			if c.Detail == "" {
				t.Errorf("%s: %s is skipped without a reason", c.Group, c.Name)
			}
		}
	}
	for _, group := range []string{"stack", "rules", "grafana", "nothing lost"} {
		if passed[group] == 0 {
			t.Errorf("nothing of the group %q was checked", group)
		}
	}
	for _, s := range skippedWithoutServices {
		if i := slices.IndexFunc(r.Checks, func(c report.Check) bool { return c.Group == s.group }); i < 0 || r.Checks[i].Status != report.Skip {
			t.Errorf("the report does not say that %s is skipped", s.group)
		}
		if passed[s.group] > 0 {
			t.Errorf("%d checks of %s passed without services", passed[s.group], s.group)
		}
	}
}

// A panel of the stack's own dashboard fails when it is not answered. Without data it is
// skipped: nobody may have sent any yet.
func TestWithoutServicesPanels(t *testing.T) {
	f := startAlone(t)
	f.addresses.Grafana = ""
	panel := func(title, expr string) dashboards.Panel {
		return dashboards.Panel{Title: title, Queries: []dashboards.Query{{RefID: "A", Expr: expr, Datasource: dashboards.Prometheus, Instant: true}}}
	}
	f.dashboards = []dashboards.Dashboard{
		{Title: "Lab / Services", From: "now-30m", To: "now", Variables: []dashboards.Variable{{Name: "service", Type: "query"}}, Panels: []dashboards.Panel{panel("x", "up")}},
		{Title: "Lab / Stack", From: "now-30m", To: "now", Panels: []dashboards.Panel{panel("up", "up"), panel("spans", "absent_here")}},
	}
	f.number = func(expr string) float64 {
		if expr == "absent_here" {
			return math.NaN()
		}
		return 1
	}
	r, err := f.verifier().run(t.Context())
	if err != nil || !r.OK() {
		t.Fatalf("error %v, failures:\n%s", err, details(r))
	}
	want := map[string]report.Status{"Services": report.Skip, "Stack / up": report.Pass, "Stack / spans": report.Skip}
	got := map[string]report.Status{}
	for _, c := range r.Checks {
		if c.Group == "panels" {
			got[c.Name] = c.Status
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What goes wrong in the stack fails without the services, too.
func TestWithoutServicesNoticesTheStack(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(*fake)
		fails string
	}{
		"Alloy is not scraped": {func(f *fake) {
			f.hidden = func(l labels) bool { return l["__name__"] == "up" && l["job"] == "alloy" }
		}, `stack: up{job="alloy"}`},
		"a rule too many": {func(f *fake) {
			f.ruler = append(slices.Clone(f.groups), rules.Group{File: "other.yaml", Name: "other", Interval: time.Second, Rules: []rules.Rule{{Record: "a:b", Expr: "vector(1)"}}})
		}, "rules: loaded"},
		"Grafana is broken": {func(f *fake) {
			f.answers = func(part string, w http.ResponseWriter, _ *http.Request) bool {
				if part == target.Grafana {
					w.WriteHeader(http.StatusInternalServerError)
				}
				return part == target.Grafana
			}
		}, "grafana: health"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startAlone(t)
			c.do(f)
			v := f.verifier()
			v.timing = quick(shortLimit)
			r, err := v.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, check := range failures(r) {
				failed = append(failed, check.Group+": "+check.Name)
			}
			if !slices.Contains(failed, c.fails) {
				t.Errorf("these fail: %q, and not %q", failed, c.fails)
			}
		})
	}
}

// A stack that is not there is an error as ever.
func TestWithoutServicesNotReady(t *testing.T) {
	f := startAlone(t)
	f.answers = func(part string, w http.ResponseWriter, _ *http.Request) bool {
		if part == target.Loki {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return part == target.Loki
	}
	_, err := f.verifier().run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "loki is not ready") || strings.Contains(err.Error(), "frontend") {
		t.Errorf("the error is %v", err)
	}
}
