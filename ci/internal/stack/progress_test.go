package stack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
)

func TestCounter(t *testing.T) {
	c := newCounter(4, 2)
	tests := []struct {
		line  string
		phase Phase
		done  int64
		ok    bool
	}{
		{"internal/abi", PhaseCompile, 0, true},
		{"go: downloading example.com/a v1.0.0", "", 0, false},
		{"# example.com/a", "", 0, false},
		{"a.go:1:2: warning: something", "", 0, false},
		{"example.com/a", PhaseCompile, 0, true},
		{"example.com/b", PhaseCompile, 1, true},
		{"example.com/c", PhaseLink, 4, true},
		// A package whose entry left the cache after the count.
		{"example.com/d", PhaseLink, 4, true},
	}
	for _, tt := range tests {
		phase, done, ok := c.line(tt.line)
		if phase != tt.phase || done != tt.done || ok != tt.ok {
			t.Errorf("line(%q) = %q, %d, %v, want %q, %d, %v", tt.line, phase, done, ok, tt.phase, tt.done, tt.ok)
		}
	}
	if got := newCounter(0, 2).phase(); got != PhaseLink {
		t.Errorf("phase() with nothing to compile = %q, want %q", got, PhaseLink)
	}
}

func TestProgressKeepsItsPromises(t *testing.T) {
	rec := &events{t: t}
	s := &Stack{cfg: Config{Progress: rec.add}}
	p := s.startProgress("loki")
	p.set(PhaseCompile, 3, 10)
	p.set(PhaseCompile, 2, 10)
	p.set(PhaseCompile, 11, 10)
	p.set(PhaseUnpack, 1, 2)
	p.stop()
	var done []int64
	for _, e := range rec.all {
		done = append(done, e.Done)
	}
	if len(done) < 4 || rec.all[len(done)-1].Phase != PhaseUnpack || done[len(done)-1] != 1 {
		t.Errorf("events = %+v", rec.all)
	}
}

// rendered is Render with the clock of the events themselves.
func rendered(out io.Writer, mode progress.Mode) func(Event) {
	var now time.Time
	show := Render(progress.New(out, mode, 80, func() time.Time { return now }))
	return func(e Event) {
		now = time.Unix(0, 0).Add(e.Elapsed)
		show(e)
	}
}

func TestRenderPlain(t *testing.T) {
	var out strings.Builder
	show := rendered(&out, progress.Log)
	show(Event{Program: "loki", Phase: PhaseModules})
	show(Event{Program: "loki", Phase: PhaseCompile, Total: 10, Elapsed: time.Second})
	show(Event{Program: "loki", Phase: PhaseCompile, Done: 3, Total: 10, Elapsed: 10 * time.Second})
	show(Event{Program: "loki", Phase: PhaseCompile, Done: 4, Total: 10, Elapsed: 11 * time.Second})
	show(Event{Program: "loki", Phase: PhaseLink, Done: 10, Total: 10, Elapsed: 65 * time.Second})
	show(Event{Program: "loki", Phase: PhaseDone, Done: 10, Total: 10, Elapsed: 70 * time.Second})
	show(Event{Program: "grafana", Phase: PhaseDownload, Done: 1 << 20, Total: 3 << 20})
	show(Event{Program: "grafana", Phase: PhaseFailed, Err: errors.New("no\nroute")})
	want := `loki     reading modules  0m00s
loki     compiling  0 of 10 packages  0m01s
loki     compiling  4 of 10 packages  0m11s
loki     linking  1m05s
loki     ready after 1m10s
grafana  downloading  1.0 MiB of 3.0 MiB  0m00s
grafana  failed: no route
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestRenderTerminal(t *testing.T) {
	tests := []struct{ name, noColor, bar string }{
		{"colour", "", "[\x1b[32m==========\x1b[0m          ]"},
		{"NO_COLOR", "1", "[==========          ]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.noColor)
			var out bytes.Buffer
			show := rendered(&out, progress.Terminal)
			show(Event{Program: "alloy", Phase: PhaseCompile, Done: 5, Total: 10, Elapsed: time.Second})
			show(Event{Program: "alloy", Phase: PhaseCompile, Done: 6, Total: 10, Elapsed: time.Second + time.Millisecond})
			show(Event{Program: "alloy", Phase: PhaseFailed, Err: context.Canceled})
			want := "\r\x1b[Kalloy    compiling  " + tt.bar + "  5 of 10 packages  0m01s\r\x1b[Kalloy    stopped\n"
			if out.String() != want {
				t.Errorf("got %q\nwant %q", out.String(), want)
			}
		})
	}
}
