package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// BenchmarkScrub measures the cost of scrubbing one deleted user in a database of many:
// the slowest creation of a user during the scrub, the slowest one in as much time
// without a scrub, and the peak of the memory. The first scrub changes nearly all
// pages, the second only a few.
//
//	go test -run '^$' -bench Scrub -benchtime 1x ./services/internal/sqlite
func BenchmarkScrub(b *testing.B) {
	b.Setenv("OTEL_SDK_DISABLED", "true") // the harness would keep a span of each query
	for _, n := range []int{100_000, 1_000_000} {
		l := newHarness(b, Config{ScrubDelay: time.Hour})
		populate(b, l, n)
		for i, scrub := range []string{"first", "second"} {
			b.Run(fmt.Sprintf("users=%d/%s", n, scrub), func(b *testing.B) { scrubOnce(b, l, int64(n/2+i)) })
		}
	}
}

// scrubOnce deletes a user and scrubs, while others write.
func scrubOnce(b *testing.B, l *harness, id int64) {
	for b.Loop() {
		b.StopTimer()
		if err := l.Delete(b.Context(), id); err != nil && !errors.Is(err, users.ErrNotFound) {
			b.Fatal(err)
		}
		before := resetPeak(b)
		stop := make(chan struct{})
		longest := writeUntil(b, l, stop)
		b.StartTimer()
		began := time.Now()
		if err := l.scrubNow(b.Context(), time.Sleep); err != nil {
			b.Logf("scrub: %v", err)
		}
		took := time.Since(began)
		b.StopTimer()
		close(stop)
		b.ReportMetric(milliseconds(<-longest), "longest-write-ms")
		b.ReportMetric(float64(peak(b)-before)/(1<<20), "peak-MiB")
		stop = make(chan struct{})
		longest = writeUntil(b, l, stop)
		time.Sleep(took)
		close(stop)
		b.ReportMetric(milliseconds(<-longest), "longest-without-ms")
		b.StartTimer()
	}
	b.ReportMetric(float64(fileSize(b, l.cfg.Path))/(1<<20), "file-MiB")
}

// populate adds n users in one statement, with random addresses.
func populate(b *testing.B, l *harness, n int) {
	b.Helper()
	_, err := l.writer.NewRaw(`INSERT INTO users (name, email, email_key, created_at)
		WITH RECURSIVE n(i, e) AS (SELECT 1, lower(hex(randomblob(8))) UNION ALL SELECT i + 1, lower(hex(randomblob(8))) FROM n WHERE i < ?)
		SELECT 'Some Body ' || i, e || '@example.com', e || '@example.com', '2026-01-02 15:04:05+00:00' FROM n`, n).Exec(b.Context())
	if err == nil {
		err = l.checkpoint(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func fileSize(b *testing.B, path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// writeUntil creates one user after another until stop is closed, and then sends how
// long the slowest took.
func writeUntil(b *testing.B, l *harness, stop <-chan struct{}) <-chan time.Duration {
	result := make(chan time.Duration, 1)
	run := time.Now().UnixNano()
	go func() {
		var longest time.Duration
		for i := 0; ; i++ {
			select {
			case <-stop:
				result <- longest
				return
			default:
			}
			began := time.Now()
			if _, err := l.Create(context.Background(), users.New{Name: "N", Email: fmt.Sprintf("%d-%d@example.com", run, i)}); err != nil {
				b.Logf("create: %v", err)
			}
			longest = max(longest, time.Since(began))
			time.Sleep(time.Millisecond)
		}
	}()
	return result
}

// resetPeak resets the kernel's record of the process's peak memory, and returns the
// memory in use, in bytes.
func resetPeak(b *testing.B) int64 {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Skipf("the peak of the memory cannot be measured here: %v", err)
	}
	return peak(b)
}

func peak(b *testing.B) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib << 10
		}
	}
	b.Fatal("no VmHWM in /proc/self/status")
	return 0
}
