package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What --record writes holds for the next run of the application, and fails for another
// one; a first case is written for a service that is sending, and overwrites nothing.
func TestRecordACase(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	file := filepath.Join(t.TempDir(), "case.yaml")
	write := func(path string) {
		text := fmt.Sprintf("# My application.\nname: shop\nrun:\n  command: [%q]\n  ready: http://127.0.0.1:${PORT}/ready\ninput:\n  - path: %s\n    count: 3\nexpected:\n  traces:\n    - traceql: '{ name = \"not yet\" }'\n", buildShop(t), path)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("/items/7")
	l.lab("check", "--record", file)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# My application.", "shop: GET /items/{id} [server]", "item served"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the recorded case lacks %q:\n%s", want, raw)
		}
	}
	if strings.Contains(string(raw), "not yet") {
		t.Errorf("the recorded case has its old expectation:\n%s", raw)
	}
	if stdout, stderr, code := l.try("check", file); code != 0 {
		t.Errorf("the recorded case does not hold: exit code %d\n%s%s", code, stdout, stderr)
	}
	// Another answer is another shape of the trace.
	other := strings.Replace(strings.Replace(string(raw), "path: /items/7", "path: /items/404\n    status: 404", 1), "  metrics:", "  metrics-were:", 1)
	other, _, _ = strings.Cut(other, "  metrics-were:")
	if err := os.WriteFile(file, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if stdout, _, code := l.try("check", "--case-timeout", "8s", file); code != 1 || !strings.Contains(stdout, "404") {
		t.Errorf("the case of another answer: exit code %d\n%s", code, stdout)
	}
	if _, stderr, code := l.try("check", "--init", "shop", file); code != 1 || !strings.Contains(stderr, "exists") {
		t.Errorf("--init over a file: exit code %d: %s", code, stderr)
	}
	first := filepath.Join(t.TempDir(), "first.yaml")
	l.lab("check", "--init", "shop", first)
	if raw, err := os.ReadFile(first); err != nil || !strings.Contains(string(raw), "name: shop sends its telemetry") || !strings.Contains(string(raw), "trees:") {
		t.Errorf("the first case: %v\n%s", err, raw)
	}
	if _, stderr, code := l.try("check", "--init", "nobody"); code != 1 || !strings.Contains(stderr, "lab services") {
		t.Errorf("--init of a service that is not there: exit code %d: %s", code, stderr)
	}
}
