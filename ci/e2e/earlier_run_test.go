package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// The test sends requests just before some traffic, and loses a log line while the traffic
// runs. `verify --run last` does not count the requests as traffic, and sees the loss.
func TestVerifyKnowsWhatWasCountedBeforeTheRun(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for range 20 {
		resp, err := client.Get(l.addresses.Frontend + "/api/users")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	traffic := l.command("traffic", "--requests", "400")
	if err := traffic.Start(); err != nil {
		t.Fatal(err)
	}
	// Traffic waits some seconds before it sends, and then sends for ten.
	l.eventually("the traffic has begun", func() bool { return l.accessLines("frontend", "1m") > 50 })
	l.losesALine()
	if err := traffic.Wait(); err != nil {
		t.Fatalf("lab traffic: %v", err)
	}

	stdout, stderr, code := l.try("verify", "--run", "last", "-o", "json")
	var r report.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("not a report: %v\n%s%s", err, stdout, stderr)
	}
	lost := 0
	for _, c := range r.Checks {
		switch {
		case !c.Failed():
		case c.Group == "nothing lost":
			lost++
			t.Logf("%s: %s: %s", c.Name, c.Measured, c.Detail)
		default:
			t.Errorf("%s: %s: measured %s, expected %s\n%s", c.Group, c.Name, c.Measured, c.Expected, c.Detail)
		}
	}
	if lost == 0 || code != 1 {
		t.Errorf("%d losses and exit code %d, though a line was lost while the traffic ran", lost, code)
	}
}

// accessLines counts a service's recent access-log lines.
func (l *testLab) accessLines(service, window string) int {
	l.Helper()
	counts, err := query.Loki{URL: l.addresses.Loki, HTTP: client}.Count(l.Context(), fmt.Sprintf(`sum by (job) (count_over_time({service_name=%q} |~ "^request$" [%s]))`, service, window), "job", time.Now())
	if err != nil {
		l.Fatal(err)
	}
	return int(counts[service])
}

// losesALine sends a log line with more attributes than Alloy passes on.
func (l *testLab) losesALine() {
	l.Helper()
	raw, err := os.ReadFile(filepath.Join(l.dir, "state.json"))
	if err != nil {
		l.Fatal(err)
	}
	var state struct {
		Ports map[string]int `json:"ports"`
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		l.Fatal(err)
	}
	var attributes []string
	for i := range 600 {
		attributes = append(attributes, fmt.Sprintf(`{"key":"a%d","value":{"stringValue":"x"}}`, i))
	}
	record := fmt.Sprintf(`{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"wide"}}]},
		"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","severityNumber":9,"body":{"stringValue":"wide"},"attributes":[%s]}]}]}]}`,
		time.Now().UnixNano(), strings.Join(attributes, ","))
	resp, err := client.Post(fmt.Sprintf("http://127.0.0.1:%d/v1/logs", state.Ports["otlp_http"]), "application/json", strings.NewReader(record))
	if err != nil {
		l.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		l.Fatalf("Alloy answered %s", resp.Status)
	}
}
