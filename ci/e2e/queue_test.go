package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Alloy ends at each start when one of its queues has damaged pages. `up` sets that queue
// aside and says so, and the data in the other queues arrives.
func TestDamagedQueueIsSetAside(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.kill("tempo")
	l.kill("mimir")
	span, lost := newSpan("in the damaged queue")
	l.mustSend("traces", spans("guest", span))
	l.mustSend("metrics", export(resource("guest"), gauge("kept", point(1))))
	l.kill("alloy")

	queues, err := filepath.Glob(filepath.Join(l.dir, "data", "alloy", "queue", "*tempo_traces"))
	if err != nil || len(queues) != 1 {
		t.Fatalf("the queues of traces are %v, %v", queues, err)
	}
	content, err := os.ReadFile(queues[0])
	if err != nil {
		t.Fatal(err)
	}
	// Do not damage pages 0 and 1: bbolt repairs each of them from the other.
	for at := 2 * os.Getpagesize(); at < len(content); at += os.Getpagesize() {
		copy(content[at:], bytes.Repeat([]byte{0xA5}, 64))
	}
	if err := os.WriteFile(queues[0], content, 0o600); err != nil {
		t.Fatal(err)
	}

	stdout, stderr, code := l.try("up", "--detach")
	if code != 0 || !strings.Contains(stdout+stderr, "is damaged") {
		t.Fatalf("up: exit code %d\n%s%s", code, stdout, stderr)
	}
	l.has("kept", 1, 1)
	next, id := newSpan("after it")
	l.mustSend("traces", spans("guest", next))
	l.eventually("the next trace is stored", func() bool {
		_, err := l.tempo().Trace(t.Context(), id)
		return err == nil
	})
	if _, err := l.tempo().Trace(t.Context(), lost); err == nil {
		t.Error("the trace of the damaged queue is stored: the test damages nothing")
	}
	if kept, _ := filepath.Glob(queues[0] + ".damaged-*"); len(kept) != 1 {
		t.Errorf("the damaged file is not kept: %v", kept)
	}
}
