// Package heap makes the garbage collector run less often in a busy process whose heap is
// small.
//
// Go collects when the heap has doubled. A service here has some ten megabytes that live,
// and makes as much garbage in a few hundred requests, so that under load it would collect
// dozens of times a second: a quarter of its processor time, as its profile showed. A
// process that is not busy keeps its heap small, as usual.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// busy is the time between two collections below which a process counts as busy.
const busy = 2 * time.Second

// Floor lets the heap of a busy process grow to so many bytes before it is collected,
// until stop is called. It does nothing if GOGC is set.
func Floor(bytes uint64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	w := &watcher{floor: bytes}
	w.watch(time.Now())
	return func() { w.stopped.Store(true) }
}

// watcher decides after every collection when the next one is.
type watcher struct {
	floor   uint64
	stopped atomic.Bool
}

// watch waits for the next collection: an object that nothing holds is cleaned up by it.
func (w *watcher) watch(last time.Time) {
	sentinel := new([16]byte) // smaller ones share their memory with others
	runtime.AddCleanup(sentinel, func(w *watcher) {
		if w.stopped.Load() {
			return
		}
		now := time.Now()
		debug.SetGCPercent(percent(w.floor, live(), now.Sub(last)))
		w.watch(now)
	}, w)
}

// percent is how much the heap may grow above what lives, with so much time since the
// collection before.
func percent(floor, live uint64, since time.Duration) int {
	const usual, most = 100, 1000
	if since > busy || floor <= 2*live {
		return usual
	}
	return int(min(most, 100*floor/max(live, 1)-100))
}

// live is the heap that was reachable at the last collection, in bytes.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
