package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
)

func TestTargetFlags(t *testing.T) {
	for _, test := range []struct {
		line string
		says string
	}{
		{"status --target nowhere", `--target "nowhere": want local, kind, kubernetes, incluster`},
		{"up --target kind --stack source", "--stack is for --target local, not for kind"},
		{"up --workers 1", "--workers is for --target kind, not for local"},
		{"verify --target incluster --archives x", "--archives is for --target local or kind, not for incluster"},
		{"verify --target incluster --images x", "--images is for --target local or kind or kubernetes, not for incluster"},
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
		{"up --context x", "--context is for --target kubernetes, not for local"},
		{"up --target kind --dry-run", "--dry-run is for --target kubernetes, not for kind"},
		{"up --target kubernetes --size huge", `--size "huge": want small, medium, large`},
		{"up --target kubernetes --settings nowhere.env", "--settings: open nowhere.env"},
		{"up --target kubernetes --port grafana=1", "--port is for --target local or kind, not for kubernetes"},
		{"verify --target kubernetes --up", "a cluster of your own has one lab"},
		{"migrate-database --target kubernetes", "migrate-database"},
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

// On a cluster of one's own a period that is not on the command line is what the settings say.
func TestRetentionAsked(t *testing.T) {
	for line, want := range map[string]retention.Periods{
		"":                                      {},
		"--retention-logs=48h":                  {Logs: 48 * time.Hour},
		"--retention=24h":                       {Logs: 24 * time.Hour, Traces: 24 * time.Hour, Metrics: 24 * time.Hour},
		"--retention-logs=720h --retention=48h": {Logs: 720 * time.Hour, Traces: 48 * time.Hour, Metrics: 48 * time.Hour},
	} {
		var f retentionFlags
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.register(flags, retention.Least)
		if err := flags.Parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		if got := f.asked(); got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

func TestMarkedProgress(t *testing.T) {
	var b strings.Builder
	if n, err := (marked{&b}).Write([]byte("a line\n")); n != 7 || err != nil || b.String() != "· a line\n" {
		t.Errorf("wrote %q, %d, %v", b.String(), n, err)
	}
}
