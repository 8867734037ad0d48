package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	const mb = 1 << 20
	for name, tt := range map[string]struct {
		live  uint64
		since time.Duration
		want  int
	}{
		"busy":                     {8 * mb, time.Millisecond, 700}, // the next collection is at 64 MB
		"busy, with a large heap":  {100 * mb, time.Millisecond, 100},
		"busy, with a tiny heap":   {1, time.Millisecond, 1000},
		"busy, nothing is known":   {0, time.Millisecond, 1000},
		"not busy":                 {8 * mb, time.Minute, 100},
		"busy, half of it is live": {32 * mb, time.Millisecond, 100},
	} {
		if got := percent(64*mb, tt.live, tt.since); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// current is GOGC as it is.
func current() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

var sink [][]byte

// The setting follows the heap: more than usual while it is small and collected often, the
// usual one when much of it lives.
func TestFloorFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before); sink = nil })
	becomes := func(what string, want func(int) bool) {
		t.Helper()
		for range 1000 { // the cleanup runs some time after its collection
			runtime.GC()
			if want(current()) {
				return
			}
		}
		t.Errorf("%s: GOGC is %d", what, current())
	}
	t.Cleanup(Floor(64 << 20))
	becomes("a small heap, collected often", func(p int) bool { return p > 100 })
	for range 64 {
		sink = append(sink, make([]byte, 1<<20))
	}
	becomes("64 MB live", func(p int) bool { return p == 100 })
}

func TestFloorLeavesGOGCAlone(t *testing.T) {
	t.Setenv("GOGC", "50")
	before := debug.SetGCPercent(77)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Cleanup(Floor(64 << 20))
	for range 20 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if got := current(); got != 77 {
		t.Errorf("GOGC became %d, although the environment sets it", got)
	}
}
