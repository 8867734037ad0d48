package verify

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// find returns a check of a report by its group and name.
func find(t *testing.T, r report.Report, named string) report.Check {
	t.Helper()
	for _, c := range r.Checks {
		if name(c) == named {
			return c
		}
	}
	t.Fatalf("there is no check %q", named)
	return report.Check{}
}

// TestMeasured looks at what a whole lab's checks say, not only that they pass.
func TestMeasured(t *testing.T) {
	f := startFake(t)
	f.rule = func(rule map[string]any) {
		// Both may fire: the first because verify lets requests fail, the other does not page.
		if rule["name"] == "HighErrorRatio" || rule["name"] == "SlowP99" {
			rule["alerts"] = []any{map[string]any{"labels": rule["labels"], "state": "firing"}}
		}
		if rule["name"] == "LokiDown" {
			rule["alerts"] = []any{map[string]any{"labels": rule["labels"], "state": "pending"}}
		}
	}
	v := f.verifier()
	v.Kubernetes = true
	r, err := v.run(t.Context())
	if err != nil || !r.OK() {
		t.Fatalf("error %v, failures:\n%s", err, details(r))
	}
	for named, want := range map[string]string{
		requests: "1/1 series", rightNow: "1 series", levelsPanel: "1/1 series", panicsPanel: "0 lines", mapPanel: "1 edges", jobVar: "6 values",
		rulesLoaded: "1 groups with 7 rules", ruleMetrics: "5 of 5 metrics; 1 of these are not there yet, and need not be",
		alertsFiring: "Watchdog, HighErrorRatio, SlowP99", logToTrace: "5 spans", traceToLogs: "1 of the backend, 1 of the frontend",
		exemplarToTrace: "of 4 of 4 histograms", grafanaHealth: "13.1.3", grafanaSources[0]: "prometheus, OK",
		grafanaSources[2]: "tempo, answers through Grafana", demoShown: `"Lab / Demo", 10 panels`,
	} {
		if got := find(t, r, named).Measured; got != want {
			t.Errorf("%s measured %q, want %q", named, got, want)
		}
	}
	if got := find(t, r, durations).Measured; !strings.HasPrefix(got, "1 series, ") || !strings.HasSuffix(got, " exemplars") {
		t.Errorf("%s measured %q", durations, got)
	}
}

// TestGrafanaSkipped is about a Grafana that is not there, and one that answers nobody
// without a login.
func TestGrafanaSkipped(t *testing.T) {
	skipped := func(f *fake) (all []string) {
		r, err := f.verifier().run(t.Context())
		if err != nil || !r.OK() {
			t.Fatalf("error %v, failures:\n%s", err, details(r))
		}
		for _, c := range r.Checks {
			if c.Group == "grafana" && c.Status == report.Skip {
				all = append(all, c.Name+": "+c.Detail)
			}
		}
		return all
	}
	f := startFake(t)
	f.addresses.Grafana = ""
	if got := skipped(f); len(got) != 1 || got[0] != "provisioned: Grafana does not run on this target" {
		t.Errorf("without Grafana these are skipped: %q", got)
	}
	deny := func(status int, path string) func(string, http.ResponseWriter, *http.Request) bool {
		return func(part string, w http.ResponseWriter, r *http.Request) bool {
			if part != "grafana" || !strings.Contains(r.URL.Path, path) {
				return false
			}
			w.WriteHeader(status)
			writeJSON(w, labels{"message": "Unauthorized"})
			return true
		}
	}
	f = startFake(t)
	f.answers = deny(http.StatusUnauthorized, "/uid/")
	if got := skipped(f); len(got) != 4 || !strings.Contains(got[0], "data source mimir: Grafana: not allowed without a login") {
		t.Errorf("with a login only these are skipped: %q", got)
	}
	// To read a data source takes other rights than to ask whether it works.
	f = startFake(t)
	f.answers = func(part string, w http.ResponseWriter, r *http.Request) bool {
		return !strings.HasSuffix(r.URL.Path, "/health") && deny(http.StatusForbidden, "/api/datasources/uid/")(part, w, r)
	}
	if got := skipped(f); len(got) != 0 {
		t.Errorf("where only the type of a data source is not to be read these are skipped: %q", got)
	}
}
