package sqlite

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// BenchmarkBackup measures a backup of many users: how long it takes, how long others wait
// for the creation of a user meanwhile (and in as much time without a backup), and the peak
// of the memory.
//
//	go test -run '^$' -bench 'Backup/users=10000$' -benchtime 1x ./services/internal/sqlite
func BenchmarkBackup(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000, 5_000_000} {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			b.Setenv("OTEL_SDK_DISABLED", "true") // the harness would keep a span of each query
			l := newHarness(b, Config{ScrubDelay: time.Hour})
			populate(b, l, n)
			before := resetPeak(b)
			writers := writeUntilStopped(b, l)
			began := time.Now()
			for b.Loop() {
				if _, err := Backup(b.Context(), l.cfg.Path, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
			took := time.Since(began)
			writers.report(b, "")
			b.ReportMetric(float64(peak(b)-before)/(1<<20), "peak-MiB")
			writers = writeUntilStopped(b, l)
			time.Sleep(took)
			writers.report(b, "-without")
			b.ReportMetric(float64(fileSize(b, l.cfg.Path))/(1<<20), "file-MiB")
		})
	}
}
