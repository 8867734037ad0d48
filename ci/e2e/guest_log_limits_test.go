package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// count returns the number of lines that a selector finds.
func (l *testLab) count(selector string) int {
	l.Helper()
	counts, err := l.loki().Count(l.Context(), `sum(count_over_time(`+selector+`[15m]))`, "", time.Now())
	if err != nil {
		l.Logf("%v", err)
	}
	return int(counts[""])
}

// Loki stores the bursts of one sender, and they do not delay other senders: many megabytes
// at once, more streams than Loki's usual limit, and small lines of a sender with many
// resource attributes.
func TestGuestLogBursts(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	run := randomID(4)
	many := func(n int, body func(int) string) []*logspb.LogRecord {
		records := make([]*logspb.LogRecord, n)
		for i := range records {
			records[i] = logRecord(body(i), nil)
		}
		return records
	}
	for burst := range 4 {
		l.sendLogs(logsFrom(resource("bulk-"+run), many(3000, func(i int) string {
			return fmt.Sprintf("burst %d line %d %s", burst, i, strings.Repeat("x", 2000))
		})...))
	}
	l.sendLogs(logsFrom(resource("java-"+run, "process.command_line", strings.Repeat("/usr/share/java/library.jar:", 2000)),
		many(5000, strconv.Itoa)...))
	const streams = 6000
	var senders []*logspb.ResourceLogs
	for i := range streams {
		senders = append(senders, logsFrom(resource(fmt.Sprintf("stream-%s-%d", run, i)), logRecord("x", nil)))
	}
	l.sendLogs(senders...)
	begin := time.Now()
	l.sendLogs(logsFrom(resource("neighbour-"+run), logRecord("hello", nil)))
	l.line(fmt.Sprintf("{service_name=%q}", "neighbour-"+run))
	t.Logf("the neighbour's line is stored after %v", time.Since(begin))

	for selector, want := range map[string]int{
		`{service_name="bulk-` + run + `"}`: 12000, `{service_name="java-` + run + `"}`: 5000, `{service_name=~"stream-` + run + `-.+"}`: streams,
	} {
		l.eventually(fmt.Sprintf("%d lines of %s", want, selector), func() bool { return l.count(selector) == want })
	}
	l.eventually("Alloy's queues are empty", func() bool { return l.counter(target.Alloy, "otelcol_exporter_queue_size") == 0 })
	l.nothingRefused()
}

// Records of an ordinary size are stored whole. Larger records are cut or left out, and
// counted. Other senders' records in the same request or the same batch are not affected.
func TestGuestLogSizes(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	run := randomID(4)
	numbered := func(n, size int) []*commonpb.KeyValue {
		var all []*commonpb.KeyValue
		for i := range n {
			all = append(all, attributes(fmt.Sprintf("k%d", i), strings.Repeat("v", size))...)
		}
		return all
	}
	deep := mapValue("leaf", 1)
	for range 200 {
		deep = &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{{Key: strings.Repeat("n", 100), Value: deep}}}}}
	}
	const cut, left = "loki_mutated_samples_total", "otelcol_processor_filter_logs_filtered"
	for i, test := range []struct {
		name   string
		change func(*logspb.LogRecord)
		length int    // of the line; 0 when the line is left out
		counts string // the counter that rises by one, if there is one
	}{
		{"a line of 300 KB", func(r *logspb.LogRecord) { r.Body = anyValue(strings.Repeat("x", 300_000)) }, 300_000, ""},
		{"a line of 512 KiB", func(r *logspb.LogRecord) { r.Body = anyValue(strings.Repeat("x", 512<<10)) }, 512 << 10, ""},
		{"a line of 600 KB", func(r *logspb.LogRecord) { r.Body = anyValue(strings.Repeat("x", 600_000)) }, 512 << 10, cut},
		{"a line of 15 MB", func(r *logspb.LogRecord) { r.Body = anyValue(strings.Repeat("é", 7_500_000)) }, 512 << 10, cut},
		{"140 attributes", func(r *logspb.LogRecord) { r.Attributes = numbered(140, 20) }, 4, ""},
		{"values of 3 KB", func(r *logspb.LogRecord) { r.Attributes = numbered(33, 3000) }, 4, ""},
		{"600 attributes", func(r *logspb.LogRecord) { r.Attributes = numbered(600, 20) }, 0, left},
		{"attributes of 3 MB", func(r *logspb.LogRecord) { r.Attributes = numbered(300, 10_000) }, 0, left},
		{"a key of 2 MB", func(r *logspb.LogRecord) { r.Attributes = attributes(strings.Repeat("k", 2_000_000), "v") }, 0, left},
		{"a map of many levels", func(r *logspb.LogRecord) { r.Attributes = []*commonpb.KeyValue{{Key: "deep", Value: deep}} }, 4, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := l.in(t)
			counted := func(name string) float64 { return l.counter(target.Loki, name) + l.counter(target.Alloy, name) }
			before := map[string]float64{cut: counted(cut), left: counted(left)}
			sender := func(kind string) string { return fmt.Sprintf("%s-%s-%d", kind, run, i) }
			l.sendLogs(logsFrom(resource(sender("before")), logRecord("x", nil)))
			l.sendLogs(logsFrom(resource(sender("guest")), logRecord("line", test.change)), logsFrom(resource(sender("beside")), logRecord("x", nil)))
			l.sendLogs(logsFrom(resource(sender("after")), logRecord("x", nil)))
			for _, kind := range []string{"before", "beside", "after"} {
				l.line(fmt.Sprintf("{service_name=%q}", sender(kind)))
			}
			guest := fmt.Sprintf("{service_name=%q}", sender("guest"))
			if test.length > 0 {
				if n := len(l.line(guest).Text); n > test.length+8 || n < test.length-100 {
					t.Errorf("the line has %d bytes, want %d", n, test.length)
				}
			} else if lines := l.lines(guest); len(lines) > 0 {
				t.Errorf("the line is stored")
			}
			for name, was := range before {
				want := 0.0
				if name == test.counts {
					want = 1
				}
				if got := counted(name) - was; got != want {
					t.Errorf("%s rises by %v, want %v", name, got, want)
				}
			}
		})
	}
	l.nothingRefused()
}

// Lines are stored whatever their time: in another unit, hours late, or outside of the range
// that Loki accepts.
func TestGuestLogTimes(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	run := randomID(4)
	now := time.Now()
	// A query runs before the lines are there: later queries must find them nevertheless.
	l.lines(fmt.Sprintf("{service_name=%q}", "times-"+run))
	for i, test := range []struct {
		name string
		time uint64
		want time.Time
	}{
		{"now", nanos(now), now},
		{"none", 0, now},
		{"seconds", uint64(now.Unix()), now},
		{"milliseconds", uint64(now.UnixMilli()), now},
		{"microseconds", uint64(now.UnixMicro()), now},
		{"two hours ago", nanos(now.Add(-2 * time.Hour)), now.Add(-2 * time.Hour)},
		{"five hours ago", nanos(now.Add(-5 * time.Hour)), now.Add(-5 * time.Hour)},
		{"six days ago", nanos(now.AddDate(0, 0, -6)), now.AddDate(0, 0, -6)},
		{"a month ago", nanos(now.AddDate(0, -1, 0)), now},
		{"tomorrow", nanos(now.AddDate(0, 0, 1)), now},
		{"at no time", 1 << 63, now},
		{"the first nanosecond", 1, now},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := l.in(t)
			// The service has new lines already: Loki compares the late line with those.
			service, text := "times-"+run, fmt.Sprintf("line %d of %s", i, run)
			for _, observed := range []uint64{nanos(time.Now()), 0, uint64(now.UnixMilli())} {
				text := fmt.Sprintf("%s, %d", text, observed)
				l.sendLogs(logsFrom(resource(service), logRecord("new", nil), logRecord(text, func(r *logspb.LogRecord) {
					r.TimeUnixNano, r.ObservedTimeUnixNano = test.time, observed
				})))
				if got := l.line(fmt.Sprintf("{service_name=%q} |= %q", service, text)); got.Time.Sub(test.want).Abs() > 5*time.Minute {
					t.Errorf("observed %d: stored at %v, want about %v", observed, got.Time, test.want)
				}
			}
		})
	}
	l.nothingRefused()
}
