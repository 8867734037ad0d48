package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/workflow/actiontest"
)

// sendsASpan is a command for the action: an application that sends one span with the
// resource that it was told, as an SDK does.
const sendsASpan = `
run=${OTEL_RESOURCE_ATTRIBUTES##*lab.run.id=}
now=$(date +%s)000000000
curl -sf -H 'Content-Type: application/json' "$OTEL_EXPORTER_OTLP_ENDPOINT/v1/traces" -d '{"resourceSpans": [{
  "resource": {"attributes": [
    {"key": "service.name", "value": {"stringValue": "'"$OTEL_SERVICE_NAME"'"}},
    {"key": "lab.run.id", "value": {"stringValue": "'"${run%%,*}"'"}}]},
  "scopeSpans": [{"spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "kind": 2,
    "name": "GET /orders", "startTimeUnixNano": "'$now'", "endTimeUnixNano": "'$now'"}]}]}]}'
`

// sentCase is a case that holds, missingCase one that does not.
const sentCase = `name: sent
seed:
  type: inline-otlp
  traces:
    - service: shop
      spans: [{name: GET /orders}]
expected:
  traces:
    - traceql: '{ name = "GET /orders" }'
      count: '>= 1'
`

var missingCase = strings.ReplaceAll(sentCase, `{ name = "GET /orders" }`, `{ name = "GET /nothing" }`)

// The action's steps with the real lab: it comes up, the command's telemetry is counted,
// the case holds, the evidence is there, and the lab goes down. A case that does not hold
// fails the action, and the summary says which.
func TestAction(t *testing.T) {
	needStack(t)
	if runtime.GOOS == "windows" {
		t.Skip("the action runs on Linux and macOS")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl: apt-get install curl")
	}
	workspace := t.TempDir()
	for name, content := range map[string]string{"sent.yaml": sentCase, "missing.yaml": missingCase} {
		if err := os.WriteFile(filepath.Join(workspace, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	use := func(inputs map[string]string) actiontest.Result {
		inputs["up-flags"] = "--free-ports"
		return actiontest.Run(t, actiontest.Job{
			Checkout: root, Workspace: workspace, Inputs: inputs,
			Env: []string{"OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES=", "OTEL_EXPORTER_OTLP_ENDPOINT="},
		})
	}
	r := use(map[string]string{"command": sendsASpan, "cases": "sent.yaml"})
	if r.Failed {
		t.Fatalf("a step has failed:\n%s", r.Log())
	}
	for _, want := range []string{"lab run: exit code 0", "| `shop` |", "| 1 | 1 | 0 |", "### ✅ check"} {
		if !strings.Contains(r.Summary, want) {
			t.Errorf("the summary does not say %q:\n%s\n%s", want, r.Summary, r.Log())
		}
	}
	for _, file := range []string{"run.json", "check.json", "check.xml", "status.txt", "snapshot.html", "logs/loki.log", "logs/alloy.log"} {
		if _, err := os.Stat(filepath.Join(r.Outputs["evidence"], file)); err != nil {
			t.Error(err)
		}
	}
	if result := r.Step("result"); result == nil || !strings.Contains(result.Output, "Stopped: ") {
		t.Errorf("the lab is not taken down:\n%s", r.Log())
	}
	r = use(map[string]string{"cases": "missing.yaml", "check-flags": "--case-timeout 3s"})
	if result := r.Step("result"); !r.Failed || result == nil || !strings.Contains(result.Output, "::error title=lab check::") {
		t.Errorf("a case that does not hold does not fail the action:\n%s", r.Log())
	}
	if !strings.Contains(r.Summary, "### ❌ check") || !strings.Contains(r.Summary, "GET /nothing") {
		t.Errorf("the summary is\n%s", r.Summary)
	}
}
