package heap

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestPercent(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		floor, live uint64
		want        int
	}{
		{32 * mb, 8 * mb, 300}, // collected at 32 MB
		{32 * mb, 16 * mb, 100},
		{32 * mb, 100 * mb, 100}, // a large heap is collected as usual
		{32 * mb, 1, 2000}, {32 * mb, 0, 2000},
	} {
		if got := percent(tt.floor, tt.live); got != tt.want {
			t.Errorf("percent(%d, %d) = %d, want %d", tt.floor, tt.live, got, tt.want)
		}
	}
}

var sink [][]byte

// The setting follows the heap: after a collection with much alive it is the usual one.
func TestFloorFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before); sink = nil })
	current := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	Floor(64 << 20)
	if got := current(); got <= 100 {
		t.Errorf("GOGC is %d with a small heap, want more than 100", got)
	}
	for range 64 {
		sink = append(sink, make([]byte, 1<<20))
	}
	for range 1000 { // the cleanup runs some time after its collection
		runtime.GC()
		if current() == 100 {
			return
		}
	}
	t.Errorf("GOGC is %d with 64 MB alive, want 100", current())
}

func TestFloorLeavesGOGCAlone(t *testing.T) {
	t.Setenv("GOGC", "50")
	before := debug.SetGCPercent(77)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	Floor(64 << 20)
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("GOGC became %d, although the environment sets it", got)
	}
}
