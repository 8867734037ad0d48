package main

import (
	"strings"
	"testing"
	"time"
)

func TestFindJSON(t *testing.T) {
	for _, test := range []struct{ output, doc, rest string }{
		{"{\n  \"ok\": true\n}\n", "{\n  \"ok\": true\n}", "\n"},
		{"lab: a remark\n{\n  \"a\": {\n  }\n}\nlab: another\n", "{\n  \"a\": {\n  }\n}", "lab: a remark\n\nlab: another\n"},
		{"lab: nothing works\n", "", "lab: nothing works\n"},
		{"{\n  \"cut\": \n", "", "{\n  \"cut\": \n"},
		{"", "", ""},
	} {
		doc, rest := findJSON([]byte(test.output))
		if string(doc) != test.doc || string(rest) != test.rest {
			t.Errorf("findJSON(%q) = %q, %q, want %q, %q", test.output, doc, rest, test.doc, test.rest)
		}
	}
}

func TestGroundFlags(t *testing.T) {
	for _, test := range []struct {
		line string
		says string
	}{
		{"status --target nowhere", `--target "nowhere": want local, kind, incluster`},
		{"up --target kind --stack source", "--stack is for --target local, not for kind"},
		{"up --workers 1", "--workers is for --target kind, not for local"},
		{"verify --target incluster --archives x", "--archives is for --target kind, not for incluster"},
		{"verify --target incluster --images x", "--images is for --target local or kind, not for incluster"},
		{"up --target kind --port loki=1", "a cluster publishes frontend, grafana and api, and nothing else"},
		{"up --target kind --port grafana=x", "want NAME=NUMBER"},
		{"up --target kind --port grafana=8080", "port 8080 is given to both"},
		{"up --target kind --port api=3000", "port 3000 is given to both grafana and api"},
		{"cluster up --port api=70000", "want NAME=NUMBER"},
		{"cluster up --stack source", "unknown flag: --stack"},
		{"cluster kubectl", "lab cluster kubectl takes arguments"},
		{"cluster nothing", "takes no arguments"},
		{"up --target incluster", "up: not on the target incluster"},
		{"down --target incluster", "down: not on the target incluster"},
		{"logs frontend --target incluster", "logs: not on the target incluster"},
	} {
		code, _, stderr := lab(t, strings.Fields(test.line)...)
		if code != 2 || !strings.Contains(stderr, test.says) {
			t.Errorf("lab %s: exit code %d, %q; want 2 and %q", test.line, code, stderr, test.says)
		}
	}
}

// Flags reach a lab elsewhere as they were given, and only those.
func TestGiven(t *testing.T) {
	e := &env{getenv: func(string) string { return "" }}
	cmd := verifyCommand(e)
	if err := cmd.ParseFlags([]string{"--rate", "5", "--duration", "1m", "--no-faults", "-o", "json"}); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(given(cmd, append(trafficFlagNames, "traffic", "no-faults")...), " ")
	if want := "--rate=5 --duration=1m0s --no-faults=true"; got != want {
		t.Errorf("given = %q, want %q", got, want)
	}
}

func TestReadRunOnTheCommandLine(t *testing.T) {
	if _, err := readRun(podSite{}, `{"trace_prefix": 1}`); err == nil || !strings.Contains(err.Error(), "is not a report of traffic") {
		t.Errorf("readRun = %v", err)
	}
	r, err := readRun(podSite{}, `{"schema_version":1,"kind":"traffic","trace_prefix":"0123456789abcdef","finished":"`+time.Now().Format(time.RFC3339Nano)+`"}`)
	if err != nil || r.TracePrefix != "0123456789abcdef" {
		t.Errorf("readRun = %+v, %v", r, err)
	}
}

func TestKindTable(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b strings.Builder
	err := kindTable(&b, []workloadStatus{
		{"backend", "app", "Deployment", "CrashLoopBackOff", 1, 0, []podStatus{{"backend-1", "n", "CrashLoopBackOff", false, 3, 42 << 20, now.Add(-90 * time.Second)}}},
		{"frontend", "app", "Deployment", "ready", 2, 2, []podStatus{{"frontend-1", "n", "Ready", true, 0, 19 << 20, now.Add(-3 * time.Hour)}, {"frontend-2", "n", "Ready", true, 0, 0, now.Add(-50 * time.Hour)}}},
		{"loki", "observability", "StatefulSet", "no pod yet", 1, 0, nil},
	}, hostPorts{frontend: 8080}, now)
	if err != nil {
		t.Fatal(err)
	}
	const want = `NAMESPACE      COMPONENT  READY  POD         STATE             RESTARTS  MEMORY  AGE
app            backend    0/1    backend-1   CrashLoopBackOff  3         42 MB   90s
app            frontend   2/2    frontend-1  Ready             0         19 MB   3h
                                 frontend-2  Ready             0         –       2d
observability  loki       0/1    –           no pod yet                          

2 of 3 components are not ready; 61 MB of memory in all pods.
frontend http://localhost:8080 · grafana not published
`
	if b.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", b.String(), want)
	}
}

func TestMarkedProgress(t *testing.T) {
	var b strings.Builder
	if n, err := (marked{&b}).Write([]byte("a line\n")); n != 7 || err != nil || b.String() != "· a line\n" {
		t.Errorf("wrote %q, %d, %v", b.String(), n, err)
	}
}
