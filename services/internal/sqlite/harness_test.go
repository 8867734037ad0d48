package sqlite

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// harness is a store with a file of its own, whose telemetry the test can read.
type harness struct {
	*Store
	cfg     Config
	out     buffer
	spans   *tracetest.SpanRecorder
	metrics *sdkmetric.ManualReader
}

// buffer is a log in which texts can be counted.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.b.String(), text)
}

func newHarness(t testing.TB, cfg Config) *harness {
	t.Helper()
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"} {
		t.Setenv(name, "none")
	}
	l := &harness{spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader()}
	tel, err := telemetry.Start(t.Context(), telemetry.Config{
		ServiceName:    "test",
		Stdout:         &l.out,
		Level:          slog.LevelDebug,
		SpanProcessors: []sdktrace.SpanProcessor{l.spans},
		MetricReaders:  []sdkmetric.Reader{l.metrics},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "users.db")
	}
	cfg.Telemetry = tel
	l.cfg = cfg
	l.open(t)
	return l
}

// open opens the store, for the first time or again.
func (l *harness) open(t testing.TB) {
	t.Helper()
	store, err := Open(t.Context(), l.cfg)
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	l.Store = store
	t.Cleanup(func() { _ = store.Close() })
}

func (l *harness) create(t testing.TB, name, email string) users.User {
	t.Helper()
	u, err := l.Create(t.Context(), users.New{Name: name, Email: email})
	if err != nil {
		t.Fatalf("Create(%q, %q) = %v", name, email, err)
	}
	return u
}

// all reads every user, page by page.
func (l *harness) all(t testing.TB, limit int) []users.User {
	t.Helper()
	var all []users.User
	for cursor := (users.Cursor{}); ; {
		page, err := l.List(t.Context(), limit, cursor)
		if err != nil {
			t.Fatalf("List() = %v", err)
		}
		all = append(all, page.Users...)
		if cursor = page.Next; cursor == (users.Cursor{}) {
			return all
		}
		if len(page.Users) != limit {
			t.Fatalf("a page that is not the last has %d users, want %d", len(page.Users), limit)
		}
	}
}
