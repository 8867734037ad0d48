package workflow

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/workflow/actiontest"
)

// stubGo is a go command whose "build" makes stubLab.
const stubGo = `#!/usr/bin/env bash
while [ "$1" != -o ]; do shift; done
cp "$STUBS/lab.sh" "$2"
`

// stubLab is a lab that notes how it is called. Its run starts the command, its up writes
// what the real one writes, as far as the action reads it.
const stubLab = `#!/usr/bin/env bash
printf '%s|' "$PWD" "$@" >> "$STUBS/calls"; echo >> "$STUBS/calls"
command=$1
file() { while [ $# -gt 0 ]; do [ "$1" = "$name" ] && echo "$2"; shift; done; }
case $command in
up)
	[ -z "$STUB_UP_FAILS" ] || { mkdir -p "$LAB_DIR/logs"; echo trouble > "$LAB_DIR/logs/loki.log"; exit 1; }
	mkdir -p "$LAB_DIR/logs"
	printf '{\n  "ports": {\n    "loki": 3100,\n    "otlp_grpc": 14317,\n    "otlp_http": 14318\n  },\n  "target": {\n    "otlp_http": "http://127.0.0.1:1"\n  }\n}\n' > "$LAB_DIR/state.json"
	echo ready > "$LAB_DIR/logs/loki.log" ;;
run)
	name=--json; printf '{\n  "run_id": "00112233",\n  "service": "shop",\n  "traces": 3,\n  "spans": 7,\n  "lines": 2,\n  "series": 11\n}\n' > "$(file "$@")"
	while [ "$1" != -- ]; do shift; done
	shift; "$@" ;;
check)
	name=--markdown; echo '### checks' > "$(file "$@")"
	exit ${STUB_CHECK:-0} ;;
down) rm "$LAB_DIR/state.json" ;;
esac
`

// useAction runs the action with a stub of the lab, in a repository with two folders, and
// returns how the lab was called: its arguments, each ending in "|", without the folder
// of the repository.
func useAction(t *testing.T, inputs map[string]string, env ...string) (actiontest.Result, string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the action runs on Linux and macOS")
	}
	stubs, workspace := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{"go": stubGo, "lab.sh": stubLab} {
		if err := os.WriteFile(filepath.Join(stubs, name), []byte(content), 0o755); err != nil { //nolint:gosec // programs
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(workspace, "sub folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := actiontest.Run(t, actiontest.Job{
		Checkout: checkout, Workspace: workspace, Inputs: inputs, Path: []string{stubs},
		Env: append([]string{"STUBS=" + stubs, "OTEL_SERVICE_NAME=", "STUB_CHECK=", "STUB_UP_FAILS="}, env...),
	})
	raw, err := os.ReadFile(filepath.Join(stubs, "calls"))
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Log())
	}
	calls := strings.ReplaceAll(string(raw), workspace, "")
	return r, strings.ReplaceAll(calls, r.Outputs["evidence"], "EVIDENCE")
}

// wantAll checks that the text has each of these, in this order.
func wantAll(t *testing.T, text string, all ...string) {
	t.Helper()
	rest := text
	for _, want := range all {
		i := strings.Index(rest, want)
		if i < 0 {
			t.Fatalf("no %q, or not at its place, in\n%s", want, text)
		}
		rest = rest[i+len(want):]
	}
}

func TestActionRunsAndChecks(t *testing.T) {
	r, calls := useAction(t, map[string]string{
		"command":           "echo \"hello $OTEL_SERVICE_NAME\"\nexit 0",
		"cases":             "cases/a case.yaml\n\n$(touch injected)\n",
		"working-directory": "sub folder", "up-flags": "--free-ports --retention 48h", "check-flags": "--parallel 4", "run-flags": "--protocol grpc",
	})
	if r.Failed {
		t.Fatalf("a step has failed:\n%s", r.Log())
	}
	wantAll(t, calls,
		"|stack|build|",
		"/sub folder|up|--detach|--inspect|--free-ports|--retention|48h|--no-services|",
		"/sub folder|run|--json|EVIDENCE/run.json|--protocol|grpc|--service|shop|--|bash|-eo|pipefail|-c|echo \"hello $OTEL_SERVICE_NAME\"\nexit 0|",
		"/sub folder|check|--json|EVIDENCE/check.json|--junit|EVIDENCE/check.xml|--markdown|EVIDENCE/check.md|--evidence|EVIDENCE/applications|--parallel|4|--|cases/a case.yaml|$(touch injected)|",
		"|snapshot|EVIDENCE/snapshot.html|", "|down|")
	wantAll(t, r.Summary, "### ✅ lab run: exit code 0", "| `shop` | `00112233` | 3 | 7 | 2 | 11 |", "### checks")
	if got := r.Outputs["otlp-http"]; got != "http://127.0.0.1:14318" {
		t.Errorf("otlp-http is %q", got)
	}
	if got := r.Outputs["otlp-grpc"]; got != "http://127.0.0.1:14317" {
		t.Errorf("otlp-grpc is %q", got)
	}
	for _, file := range []string{"run.json", "check.md", "logs/loki.log", "status.txt", "snapshot.txt"} {
		if _, err := os.Stat(filepath.Join(r.Outputs["evidence"], file)); err != nil {
			t.Error(err)
		}
	}
	if _, ok := r.Env["OTEL_EXPORTER_OTLP_ENDPOINT"]; ok {
		t.Error("later steps are sent to a lab that is down")
	}
}

// Later checks, the summary and the evidence come also of a command that fails.
func TestActionFails(t *testing.T) {
	for name, c := range map[string]struct {
		inputs map[string]string
		env    string
		says   []string
	}{
		"the command": {map[string]string{"command": "exit 3", "cases": "x.yaml"}, "", []string{"::error title=lab run::the command has ended with exit code 3"}},
		"the cases":   {map[string]string{"cases": "x.yaml"}, "STUB_CHECK=1", []string{"::error title=lab check::lab check has ended with exit code 1"}},
		"both":        {map[string]string{"command": "false", "cases": "x.yaml"}, "STUB_CHECK=2", []string{"lab run::", "lab check::"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, calls := useAction(t, c.inputs, c.env)
			result := r.Step("result")
			if result == nil || result.Code != 1 {
				t.Fatalf("the last step is %+v", result)
			}
			wantAll(t, result.Output, c.says...)
			wantAll(t, calls, "|check|", "|snapshot|", "|down|")
			wantAll(t, r.Summary, "### checks")
		})
	}
}

// When the lab does not come up, the evidence has its logs.
func TestActionWithoutALab(t *testing.T) {
	r, calls := useAction(t, map[string]string{"command": "true", "cases": "x.yaml"}, "STUB_UP_FAILS=yes")
	if !r.Failed || strings.Contains(calls, "|run|") || strings.Contains(calls, "|check|") {
		t.Errorf("failed %v, calls:\n%s", r.Failed, calls)
	}
	if _, err := os.Stat(filepath.Join(r.Outputs["evidence"], "logs", "loki.log")); err != nil {
		t.Error(err)
	}
	if r.Step("result") == nil {
		t.Error("what may be up is not taken down")
	}
}

// Without a command and cases the lab stays for the steps that follow.
func TestActionLeavesTheLabUp(t *testing.T) {
	r, calls := useAction(t, map[string]string{"services": "true"})
	if r.Failed {
		t.Fatalf("a step has failed:\n%s", r.Log())
	}
	for _, absent := range []string{"|down|", "|run|", "|check|", "--no-services"} {
		if strings.Contains(calls, absent) {
			t.Errorf("%q is in the calls\n%s", absent, calls)
		}
	}
	if got := r.Env["OTEL_EXPORTER_OTLP_ENDPOINT"]; got != "http://127.0.0.1:14318" {
		t.Errorf("the endpoint for later steps is %q", got)
	}
	if r.Summary != "" {
		t.Errorf("the summary is %q", r.Summary)
	}
}

// A name of the user's own is not replaced.
func TestActionKeepsTheServiceName(t *testing.T) {
	_, calls := useAction(t, map[string]string{"command": "true"}, "OTEL_SERVICE_NAME=mine")
	if strings.Contains(calls, "--service") {
		t.Errorf("the calls\n%s", calls)
	}
	_, calls = useAction(t, map[string]string{"command": "true", "service": "two words"})
	wantAll(t, calls, "|--service|two words|--|")
}

// Other actions are pinned by commit, with the release behind it; those that the workflow
// uses, too, have the same commit there.
func TestActionPins(t *testing.T) {
	pinned := regexp.MustCompile(`(?m)uses: ([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$`)
	commits := map[string]string{}
	for _, m := range pinned.FindAllStringSubmatch(read(t, ".github/workflows/ci.yaml"), -1) {
		commits[m[1]] = m[2]
	}
	text := read(t, "action.yml")
	found := pinned.FindAllStringSubmatch(text, -1)
	if all := strings.Count(text, "uses: "); len(found) != all || all == 0 {
		t.Errorf("%d of %d actions are pinned by commit", len(found), all)
	}
	for _, m := range found {
		if other, ok := commits[m[1]]; ok && other != m[2] {
			t.Errorf("%s is at %s here and at %s in the workflow", m[1], m[2], other)
		}
	}
}
