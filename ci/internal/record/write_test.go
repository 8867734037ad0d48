package record

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
)

var seen = Seen{
	Trees: []string{"shop: GET /users/… [server] {http.route=\"/users/{id}\"}\n  shop: GET [client]\n  …\n"},
	Lines: []Line{
		{"shop", "listening: on # a port", false}, {"shop", `^done in .+ \(slow\)$`, true}, {"stock", `he said "yes"`, false},
	},
	Metrics: []Metric{{"shop", "http_server_request_duration_seconds_count", 1}, {"shop", "queue_length", 0}},
}

// load reads what was written as cases are read.
func load(t *testing.T, text []byte) cases.Case {
	t.Helper()
	path := filepath.Join(t.TempDir(), "case.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	found, problems := cases.Load([]string{path})
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, text)
	}
	return found[0]
}

func checkExpected(t *testing.T, e cases.Expected) {
	t.Helper()
	if len(e.Trees) != 1 || e.Trees[0].Tree != seen.Trees[0] {
		t.Errorf("trees %+v", e.Trees)
	}
	if len(e.Logs) != 2 || e.Logs[0].Query.Text != `{service_name="shop"}` || len(e.Logs[0].Match) != 2 ||
		!e.Logs[0].Match[0].Name.Matches("listening: on # a port") || !e.Logs[0].Match[1].Name.Matches("done in 3 ms (slow)") ||
		!e.Logs[1].Match[0].Name.Matches(`he said "yes"`) {
		t.Errorf("logs %+v", e.Logs)
	}
	if len(e.Metrics) != 2 || !e.Metrics[0].Value.Holds(1) || e.Metrics[0].Value.Holds(0) || e.Metrics[1].Value != nil || !e.Metrics[1].Count[0].Holds(1) {
		t.Errorf("metrics %+v", e.Metrics)
	}
}

func TestFirst(t *testing.T) {
	t.Parallel()
	text, err := seen.First("shop: main")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, text)
	if c.Name != "shop: main sends its telemetry" {
		t.Errorf("name %q", c.Name)
	}
	checkExpected(t, c.Expected)
	if _, err := (Seen{}).First("shop"); !errors.Is(err, ErrNothing) {
		t.Errorf("nothing seen: %v", err)
	}
}

// All that is not the expectation stays to the letter, comments and order among it.
func TestInto(t *testing.T) {
	t.Parallel()
	const before, after = "# mine\nname:   \"x\"  # odd\n\n", "\n# how\nrun: {command: [a]}\n"
	for _, old := range []string{
		"expected:\n  custom-checks:\n    # why\n    - script: ./verify.sh\n  logs:\n    - logql: x\n",
		"expected: {custom-checks: [{script: ./verify.sh}], traces: []}\n",
	} {
		text, err := seen.Into([]byte(before + old + after))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), before) || !strings.HasSuffix(string(text), after) {
			t.Errorf("the rest has changed:\n%s", text)
		}
		c := load(t, text)
		checkExpected(t, c.Expected)
		if len(c.Expected.CustomChecks) != 1 || c.Expected.CustomChecks[0].Script != "./verify.sh" {
			t.Errorf("custom checks %+v", c.Expected.CustomChecks)
		}
		again, err := seen.Into(text)
		if err != nil || string(again) != string(text) {
			t.Errorf("a second time: %v\n%s\nwant\n%s", err, again, text)
		}
	}
	text, err := seen.Into([]byte("name: x")) // without an expectation, and without an end of line
	if err != nil {
		t.Fatal(err)
	}
	checkExpected(t, load(t, text).Expected)
	for content, want := range map[string]string{
		"{name: x, expected: {}}":                "not written as a key on each line",
		"oats-schema-version: 2\nexpected: {}\n": "version 2",
		"":                                       "not written as a key on each line",
	} {
		if _, err := seen.Into([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func TestWhatVaries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listening":     "listening",
		"done in 3.5ms": "^done in .+$",
		"user 42 (new) at 2026-11-25T23:05:26.9Z":  `^user .+ \(new\) at .+$`,
		"trace b8bc180f0e1d2c3b":                   "^trace .+$",
		"id 5f0c9e1a-1111-2222-3333-0123456789ab!": "^id .+!$",
	} {
		if got := template("shop", text); got.Text != want || got.Regexp != strings.HasPrefix(want, "^") {
			t.Errorf("template(%q) = %+v, want %s", text, got, want)
		}
	}
	for name, want := range map[string]string{
		"GET /users/{id}": "GET /users/{id}", "GET /users/42": "GET /users/…", "GET /v1/users": "GET /v1/users",
		"job 7": "job …", "GET [x": `"GET [x"`, "GET /5f0c9e1a-1111-2222-3333-0123456789ab/x": "GET /…/x", "SELECT t1": "SELECT t1",
	} {
		if got := shapeName(name); got != want {
			t.Errorf("shapeName(%q) = %s, want %s", name, got, want)
		}
	}
}
