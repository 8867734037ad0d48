package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// BenchmarkScrub measures the removal of one deleted user from a database of many: how
// long the scrub takes, how long others wait for the creation of a user meanwhile (and in
// as much time without a scrub), the peak of the memory, and how often the user's name and
// address are in the database's files, before the scrub and after it. The first scrub
// changes nearly all pages, the second only a few.
//
//	go test -run '^$' -bench 'Scrub/users=10000$' -benchtime 1x ./services/internal/sqlite
func BenchmarkScrub(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000, 5_000_000} {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			b.Setenv("OTEL_SDK_DISABLED", "true") // the harness would keep a span of each query
			l := newHarness(b, Config{ScrubDelay: time.Hour})
			populate(b, l, n)
			for i, scrub := range []string{"first", "second"} {
				b.Run(scrub, func(b *testing.B) { scrubOnce(b, l, int64(n/2+i)) })
			}
		})
	}
}

// scrubOnce deletes a user and scrubs, while others write.
func scrubOnce(b *testing.B, l *harness, id int64) {
	for b.Loop() {
		b.StopTimer()
		u, err := l.Get(b.Context(), id)
		if err == nil {
			err = l.Delete(b.Context(), id)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(occurrences(b, l.cfg.Path, u)), "found-before")
		before := resetPeak(b)
		writers := writeUntilStopped(b, l)
		b.StartTimer()
		began := time.Now()
		if err := l.scrubNow(b.Context(), time.Sleep); err != nil {
			b.Logf("scrub: %v", err)
		}
		took := time.Since(began)
		b.StopTimer()
		writers.report(b, "")
		b.ReportMetric(float64(peak(b)-before)/(1<<20), "peak-MiB")
		b.ReportMetric(float64(occurrences(b, l.cfg.Path, u)), "found-after")
		writers = writeUntilStopped(b, l)
		time.Sleep(took)
		writers.report(b, "-without")
		b.StartTimer()
	}
	b.ReportMetric(float64(fileSize(b, l.cfg.Path))/(1<<20), "file-MiB")
}

// occurrences counts the user's name and address in the database's files.
func occurrences(b *testing.B, path string, u users.User) (n int) {
	b.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		f, err := os.Open(path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		const overlap = 512 // longer than a name or an address
		buffer := make([]byte, 1<<20)
		for kept := 0; ; {
			read, err := io.ReadFull(f, buffer[kept:])
			n += bytes.Count(buffer[:kept+read], []byte(u.Name)) + bytes.Count(buffer[:kept+read], []byte(u.Email))
			if err != nil {
				break
			}
			// What is counted here is counted once more only if it lies within the overlap.
			tail := buffer[len(buffer)-overlap:]
			n -= bytes.Count(tail, []byte(u.Name)) + bytes.Count(tail, []byte(u.Email))
			kept = copy(buffer, tail)
		}
		_ = f.Close()
	}
	return n
}

// populate adds n users in transactions of 100,000, with random addresses.
func populate(b *testing.B, l *harness, n int) {
	b.Helper()
	for from := 0; from < n; from += 100_000 {
		_, err := l.writer.NewRaw(`INSERT INTO users (name, email, email_key, created_at)
			WITH RECURSIVE n(i, e) AS (SELECT ? + 1, lower(hex(randomblob(8))) UNION ALL SELECT i + 1, lower(hex(randomblob(8))) FROM n WHERE i < ?)
			SELECT 'Some Body ' || i || '.', e || '@example.com', e || '@example.com', '2026-01-02 15:04:05+00:00' FROM n`, from, min(n, from+100_000)).Exec(b.Context())
		if err == nil {
			err = l.checkpoint(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
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

// writers create one user after another until report stops them.
type writers struct {
	stop   chan struct{}
	result chan []time.Duration
}

func writeUntilStopped(b *testing.B, l *harness) writers {
	w := writers{make(chan struct{}), make(chan []time.Duration, 1)}
	run := time.Now().UnixNano()
	go func() {
		var all []time.Duration
		for i := 0; ; i++ {
			select {
			case <-w.stop:
				w.result <- all
				return
			default:
			}
			began := time.Now()
			if _, err := l.Create(context.Background(), users.New{Name: "N", Email: fmt.Sprintf("%d-%d@example.com", run, i)}); err != nil {
				b.Logf("create: %v", err)
			}
			all = append(all, time.Since(began))
			time.Sleep(time.Millisecond)
		}
	}()
	return w
}

// report stops the writers and reports how long the creation of a user took.
func (w writers) report(b *testing.B, suffix string) {
	close(w.stop)
	all := <-w.result
	slices.Sort(all)
	if len(all) == 0 {
		return
	}
	b.ReportMetric(milliseconds(all[len(all)*99/100]), "p99-ms"+suffix)
	b.ReportMetric(milliseconds(all[len(all)-1]), "longest-ms"+suffix)
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
