// Package heap makes the garbage collector run less often in a process whose heap is small.
//
// Go collects when the heap has doubled. A service here has some five megabytes that live,
// and makes as much garbage in a few hundred requests, so that under load it would collect
// dozens of times a second.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Floor lets the heap grow to so many bytes before it is collected. Above, the heap doubles
// between two collections, as usual. It does nothing if GOGC is set, and once is enough for
// a process.
func Floor(bytes uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	adjust(bytes)
	watch(bytes)
}

// watch adjusts after every collection: an object that nothing holds is cleaned up by each.
func watch(bytes uint64) {
	sentinel := new([16]byte) // smaller ones share their memory with others
	runtime.AddCleanup(sentinel, func(floor uint64) {
		adjust(floor)
		watch(floor)
	}, bytes)
}

// adjust sets GOGC so that the next collection is at the floor, or when what lives has
// doubled.
func adjust(floor uint64) { debug.SetGCPercent(percent(floor, live())) }

// percent is how much the heap may grow above what lives.
func percent(floor, live uint64) int {
	const usual, most = 100, 2000
	if live == 0 || floor/live >= most/100 {
		return most
	}
	if floor <= 2*live {
		return usual
	}
	return int(100*floor/live) - 100
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
