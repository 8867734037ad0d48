package traffic

import (
	"bytes"
	"strings"
	"testing"
)

func TestLineProgress(t *testing.T) {
	var b bytes.Buffer
	progress := lineProgress(&b, func() int { return 40 })
	progress(Event{Phase: Sending, Sent: 1000, Total: 10_000, Rate: 400})
	progress(Event{Phase: Preflight})
	progress(Event{Phase: Done, Sent: 10_000, Total: 10_000, Rate: 400})
	got := strings.Split(b.String(), "\r")[1:]
	if len(got) != 3 {
		t.Fatalf("%d lines, want 3: %q", len(got), b.String())
	}
	for i, line := range got {
		if n := len(strings.TrimSuffix(line, "\n")); n > 39 {
			t.Errorf("line %d has %d columns of 40, want one free: %q", i, n, line)
		}
	}
	if len(got[1]) != len(got[0]) {
		t.Errorf("the second line, %q, does not cover the first, %q", got[1], got[0])
	}
	if !strings.HasSuffix(got[2], "\n") || strings.Contains(got[0]+got[1], "\n") {
		t.Errorf("want a newline at the end and nowhere else: %q", b.String())
	}
}
