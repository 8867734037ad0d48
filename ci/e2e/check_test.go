package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// theCase is a case that starts the shop as the service %[1]s, with the program %[2]q.
const theCase = `name: %[1]s
run:
  command: [%[2]q]
  service: %[1]s
  ready: http://127.0.0.1:${PORT}/ready
input:
  - {path: /items/7, count: 10, rate: 20}
expected:
  complete: {traces: true, logs: true, metrics: true}
  traces:
    - traceql: '{ span.http.request.method = "GET" }'
      count: '== 10'
      match_spans: [{name: "GET /items/{id}", attributes: {http.response.status_code: "200"}}]
  logs:
    - {logql: '{service_name=~".+"} |= "item served"', count: '== 10'}
  metrics:
    - {promql: 'sum(http_server_request_duration_seconds_count)', value: '== 10'}
  trees:
    - |
      %[1]s: GET /items/{id} [server]
        %[1]s: look up
`

// checkCases runs the files' cases and returns the report and the exit code.
func (l *testLab) checkCases(files ...string) (report.Report, string, int) {
	l.Helper()
	stdout, stderr, code := l.try(append([]string{"check", "-o", "json"}, files...)...)
	var r report.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		l.Fatalf("not a report: %v\n%s%s", err, stdout, stderr)
	}
	return r, stdout + stderr, code
}

// Cases run side by side on one lab. Their queries name no service, and each sees its own
// run alone: five cases of ten requests each count ten.
func TestCheckSideBySide(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	dir := t.TempDir()
	for i := range 5 {
		text := fmt.Sprintf(theCase, fmt.Sprintf("checked%d", i), buildShop(t))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, all, code := l.checkCases(dir); code != 0 || !r.OK() || r.Count().Passed != 5*7 {
		t.Errorf("exit code %d, %+v, want 35 checks passed\n%s", code, r.Count(), all)
	}
}

// A case that expects what is not so fails, and says what is there.
func TestCheckFails(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	good := fmt.Sprintf(theCase, "unchecked", buildShop(t))
	file := filepath.Join(t.TempDir(), "case.yaml")
	for _, c := range []struct{ old, broken, want string }{
		{`"200"}`, `"500"}`, "200"},
		{"look up\n", "look down\n", "look up"},
		{"value: '== 10'", "value: '>= 1000'", "10"},
		{"count: '== 10'}", "count: '== 11'}", "10"},
		{"command: [", "command: [no-such-program, ", "there is no such program"},
	} {
		text := strings.Replace(good, c.old, c.broken, 1)
		if text == good {
			t.Fatalf("the case has no %q", c.old)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, all, code := l.checkCases("--case-timeout", "10s", file)
		said := ""
		for _, check := range r.Checks {
			if check.Failed() {
				said += check.Measured + "\n" + check.Detail
			}
		}
		if code != 1 || !strings.Contains(said, c.want) {
			t.Errorf("%s: exit code %d, it says %q, want %q\n%s", c.broken, code, said, c.want, all)
		}
	}
	if err := os.WriteFile(file, []byte("name: a\nexpectd: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := l.try("check", file); code != 2 || !strings.Contains(stderr, "case.yaml:2:1") {
		t.Errorf("a wrong key: exit code %d\n%s", code, stderr)
	}
}
