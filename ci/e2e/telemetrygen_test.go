package e2e

import (
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// needTelemetrygen compiles the collector's own load generator, or skips the test.
func needTelemetrygen(t *testing.T) string {
	t.Helper()
	needStack(t)
	module := filepath.Join(root, "ci", "tools", "telemetrygen")
	// As for sources: a new version must make cached results invalid.
	if err := filepath.WalkDir(module, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "telemetrygen")
	cmd := exec.Command("go", "build", "-o", path, "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen")
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("no telemetrygen: go -C ci/tools/telemetrygen build -o /dev/null tool: %v\n%s", err, out)
	}
	return path
}

// Of what the collector's own load generator sends, by each protocol, the stores have
// exactly as much.
func TestTelemetrygen(t *testing.T) {
	t.Parallel()
	program := needTelemetrygen(t)
	l := borrowLab(t)
	const n = 60
	begin := time.Now().Add(-time.Minute)
	for protocol, flags := range map[string][]string{
		"grpc": {"--otlp-endpoint", target.Loopback(l.ports.AlloyOTLPGRPC)},
		"http": {"--otlp-endpoint", target.Loopback(l.ports.AlloyOTLPHTTP), "--otlp-http"},
	} {
		t.Run(protocol, func(t *testing.T) {
			l := l.in(t)
			service := "telemetrygen-" + protocol + "-" + randomID(4)
			metric := "telemetrygen_" + randomID(4)
			for signal, more := range map[string][]string{
				"traces": nil, "logs": nil, "metrics": {"--otlp-metric-name", metric, "--unique-timeseries"},
			} {
				args := append([]string{signal, "--" + signal, strconv.Itoa(n), "--rate", "0", "--otlp-insecure", "--service", service}, flags...)
				if out, err := exec.Command(program, append(args, more...)...).CombinedOutput(); err != nil {
					t.Fatalf("telemetrygen %v: %v\n%s", args, err, out)
				}
			}
			traces, spans, lines, series := 0, 0, 0, 0
			l.eventually("everything is stored", func() bool {
				traces, spans = l.tracesOf(service, begin, 10*n)
				lines = l.count(fmt.Sprintf(`{service_name=%q}`, service))
				series = 0
				samples, err := l.mimir().Instant(t.Context(), fmt.Sprintf(`count(last_over_time(%s{job=%q}[10m]))`, metric, service), time.Now())
				if err == nil && len(samples) == 1 {
					series = int(samples[0].Value)
				}
				return traces >= n && spans >= 2*n && lines >= n && series >= n
			})
			if traces != n || spans != 2*n || lines != n || series != n {
				t.Errorf("%d traces with %d spans, %d lines, %d series; want %d with %d, %d, %d", traces, spans, lines, series, n, 2*n, n, n)
			}
		})
	}
	l.nothingRefused()
}

// tracesOf counts the traces of a service since then, and their spans.
func (l *testLab) tracesOf(service string, since time.Time, limit int) (traces, spans int) {
	l.Helper()
	found, err := l.tempo().Find(l.Context(), fmt.Sprintf(`{resource.service.name=%q}`, service), since, time.Now().Add(time.Minute), limit)
	if err != nil {
		l.Logf("%v", err)
	}
	for _, f := range found {
		all, err := l.tempo().Trace(l.Context(), f.TraceID)
		if err != nil {
			l.Logf("%v", err)
		}
		spans += len(all)
	}
	return len(found), spans
}
