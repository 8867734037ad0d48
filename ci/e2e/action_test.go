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

// The action's steps with the real lab: it comes up, the command's telemetry is counted,
// the evidence is there, and the lab goes down.
func TestAction(t *testing.T) {
	needStack(t)
	if runtime.GOOS == "windows" {
		t.Skip("the action runs on Linux and macOS")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl: apt-get install curl")
	}
	r := actiontest.Run(t, actiontest.Job{
		Checkout: root, Workspace: t.TempDir(),
		Inputs: map[string]string{"command": sendsASpan, "up-flags": "--free-ports"},
		Env:    []string{"OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES=", "OTEL_EXPORTER_OTLP_ENDPOINT="},
	})
	if r.Failed {
		t.Fatalf("a step has failed:\n%s", r.Log())
	}
	if !strings.Contains(r.Summary, "lab run: exit code 0") || !strings.Contains(r.Summary, "| `shop` |") || !strings.Contains(r.Summary, "| 1 | 1 | 0 |") {
		t.Errorf("the summary is\n%s\n%s", r.Summary, r.Log())
	}
	for _, file := range []string{"run.json", "status.txt", "snapshot.html", "logs/loki.log", "logs/alloy.log"} {
		if _, err := os.Stat(filepath.Join(r.Outputs["evidence"], file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if result := r.Step("result"); result == nil || !strings.Contains(result.Output, "Stopped: ") {
		t.Errorf("the lab is not taken down:\n%s", r.Log())
	}
}
