package main

import (
	"strings"
	"testing"
)

func TestTargetFlags(t *testing.T) {
	for _, test := range []struct {
		line string
		says string
	}{
		{"status --target nowhere", `--target "nowhere": want local, kind, incluster`},
		{"up --target kind --stack source", "--stack is for --target local, not for kind"},
		{"up --workers 1", "--workers is for --target kind, not for local"},
		{"verify --target incluster --archives x", "--archives is for --target local or kind, not for incluster"},
		{"verify --target incluster --images x", "--images is for --target local or kind, not for incluster"},
		{"up --listen 192.0.2.1", "--listen 192.0.2.1: want 127.0.0.1 or 0.0.0.0"},
		{"up --target kind --no-services", "--no-services is for --target local, not for kind"},
		{"up --target kind --port loki=1", "a cluster publishes only frontend, grafana and api"},
		{"up --target kind --port grafana=x", "want NAME=NUMBER"},
		{"up --target kind --port grafana=8080", "port 8080 is given to both"},
		{"up --target kind --port api=3000", "port 3000 is given to both grafana and api"},
		{"cluster up --port api=70000", "want NAME=NUMBER"},
		{"cluster up --stack source", "unknown flag: --stack"},
		{"cluster kubectl", "lab cluster kubectl takes arguments"},
		{"cluster nothing", `unknown command "nothing" for "lab cluster"`},
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

// The command in a Job gets exactly the flags that were given.
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

func TestMarkedProgress(t *testing.T) {
	var b strings.Builder
	if n, err := (marked{&b}).Write([]byte("a line\n")); n != 7 || err != nil || b.String() != "· a line\n" {
		t.Errorf("wrote %q, %d, %v", b.String(), n, err)
	}
}
