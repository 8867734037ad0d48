package sqlite

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// attributes returns a span's attributes as strings.
func attributes(span sdktrace.ReadOnlySpan) map[string]string {
	attrs := map[string]string{}
	for _, kv := range span.Attributes() {
		attrs[string(kv.Key)] = kv.Value.String()
	}
	return attrs
}

// newestSpan returns the newest ended span.
func (l *harness) newestSpan(t *testing.T) sdktrace.ReadOnlySpan {
	t.Helper()
	ended := l.spans.Ended()
	if len(ended) == 0 {
		t.Fatal("no span has ended")
	}
	return ended[len(ended)-1]
}

func TestSpans(t *testing.T) {
	l := newHarness(t, Config{})
	if n := len(l.spans.Started()); n != 0 {
		t.Fatalf("opening made %d spans without a trace to belong to", n)
	}
	ctx, parent := l.cfg.Telemetry.TracerProvider.Tracer("test").Start(t.Context(), "request")
	tests := []struct {
		name      string
		do        func() error
		span      string
		operation string
		text      string
	}{
		{"create", func() error {
			_, err := l.Create(ctx, users.New{Name: "Private O'Name", Email: "private@example.com"})
			return err
		}, "INSERT users", "INSERT", `INSERT INTO "users" ("name", "email", "email_key", "created_at") VALUES (?, ?, ?, ?) RETURNING "id"`},
		{"get", func() error { _, err := l.Get(ctx, 1); return err },
			"SELECT users", "SELECT", `SELECT "u"."id", "u"."name", "u"."email", "u"."created_at" FROM "users" AS "u" WHERE (id = ?)`},
		{"list", func() error { _, err := l.List(ctx, 33, users.Cursor{}); return err },
			"SELECT users", "SELECT", `SELECT "u"."id", "u"."name", "u"."email", "u"."created_at" FROM "users" AS "u" WHERE (id > ?) ORDER BY "id" LIMIT ?`},
		{"stats", func() error { _, err := l.Stats(ctx); return err },
			"SELECT users", "SELECT", `SELECT COUNT(*), (SELECT COUNT(*) FROM users WHERE created_at >= ?) FROM "users" AS "u"`},
		{"delete", func() error { return l.Delete(ctx, 1) }, "DELETE users", "DELETE", `DELETE FROM "users" AS "u" WHERE (id = ?)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(l.spans.Ended())
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
			if n := len(l.spans.Ended()) - before; n != 1 {
				t.Fatalf("%d spans, want 1", n)
			}
			span := l.newestSpan(t)
			want := map[string]string{
				"db.system.name": "sqlite", "db.namespace": "users", "db.operation.name": tt.operation,
				"db.collection.name": "users", "db.query.text": tt.text,
			}
			got := attributes(span)
			for key, value := range want {
				if got[key] != value {
					t.Errorf("%s is %q, want %q", key, got[key], value)
				}
			}
			if len(got) != len(want) {
				t.Errorf("attributes are %v, want no others than %v", got, want)
			}
			if span.Name() != tt.span || span.SpanKind() != trace.SpanKindClient || span.Status().Code != codes.Unset {
				t.Errorf("span is %q, %v, %v; want %q, client, unset", span.Name(), span.SpanKind(), span.Status(), tt.span)
			}
			if span.Parent().SpanID() != parent.SpanContext().SpanID() {
				t.Errorf("the span's parent is %s, want the request's", span.Parent().SpanID())
			}
		})
	}
	for _, span := range l.spans.Ended() {
		for key, value := range attributes(span) {
			if strings.Contains(strings.ToLower(value), "private") || strings.Contains(value, "O'Name") {
				t.Errorf("%s of %q contains %q", key, span.Name(), value)
			}
		}
	}
	if got := l.operations(t); got["INSERT"] != 1 || got["SELECT"] != 3 || got["DELETE"] != 1 || len(got) != 3 {
		t.Errorf("db.client.operation.duration counts %v", got)
	}
}

// operations counts the values of db.client.operation.duration by operation; the error
// follows after a space.
func (l *harness) operations(t *testing.T) map[string]uint64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := l.metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "db.client.operation.duration" {
				continue
			}
			if m.Unit != "s" {
				t.Errorf("the unit is %q, want s", m.Unit)
			}
			for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
				operation, _ := p.Attributes.Value("db.operation.name")
				key := operation.AsString()
				if failed, ok := p.Attributes.Value("error.type"); ok {
					key += " " + failed.AsString()
				}
				if system, _ := p.Attributes.Value("db.system.name"); system.AsString() != "sqlite" {
					t.Errorf("db.system.name is %q", system.AsString())
				}
				if p.Attributes.HasValue("db.query.text") {
					t.Error("the metric has the statement")
				}
				counts[key] += p.Count
			}
		}
	}
	return counts
}

func TestFailedQuery(t *testing.T) {
	l := newHarness(t, Config{})
	l.create(t, "N", "private@example.com")
	if _, err := l.Create(t.Context(), users.New{Name: "N", Email: "private@example.com"}); !errors.Is(err, users.ErrEmailTaken) {
		t.Fatal(err)
	}
	span := l.newestSpan(t)
	got := attributes(span)
	if span.Status().Code != codes.Error || span.Status().Description != "" || got["error.type"] != "2067" || got["db.response.status_code"] != "2067" {
		t.Errorf("span has status %v and %v, want an error 2067 without words", span.Status(), got)
	}
	if counts := l.operations(t); counts["INSERT 2067"] != 1 || counts["INSERT"] != 1 {
		t.Errorf("db.client.operation.duration counts %v", counts)
	}
	// A query that finds no row has not failed.
	if _, err := l.Get(t.Context(), 99); !errors.Is(err, users.ErrNotFound) {
		t.Fatal(err)
	}
	if status := l.newestSpan(t).Status(); status.Code != codes.Unset {
		t.Errorf("the span of a missing user has the status %v", status)
	}
}

func TestFaults(t *testing.T) {
	l := newHarness(t, Config{Faults: true, Sample: true})
	calls := []struct {
		name string
		call func(context.Context) error
	}{
		{"list", func(ctx context.Context) error { _, err := l.List(ctx, 1, users.Cursor{}); return err }},
		{"get", func(ctx context.Context) error { _, err := l.Get(ctx, 1); return err }},
		{"create", func(ctx context.Context) error {
			_, err := l.Create(ctx, users.New{Name: "N", Email: "n@example.com"})
			return err
		}},
		{"delete", func(ctx context.Context) error { return l.Delete(ctx, 1) }},
		{"stats", func(ctx context.Context) error { _, err := l.Stats(ctx); return err }},
	}
	for _, tt := range calls {
		before := len(l.spans.Ended())
		if err := tt.call(fault.Baggage(t.Context(), fault.Fault{Error: true})); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
		span := l.newestSpan(t)
		if len(l.spans.Ended()) != before+1 || span.Status().Code != codes.Error || attributes(span)["db.query.text"] != "SELECT lab_fail()" {
			t.Errorf("%s: span %v with status %v, want one failed statement", tt.name, attributes(span), span.Status())
		}
	}
	for _, tt := range calls {
		before := len(l.spans.Ended())
		const delay = 20 * time.Millisecond
		if err := tt.call(fault.Baggage(t.Context(), fault.Fault{Delay: delay})); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		made := l.spans.Ended()[before:]
		if len(made) != 2 {
			t.Fatalf("%s: %d spans, want the sleep and the query", tt.name, len(made))
		}
		if took := made[0].EndTime().Sub(made[0].StartTime()); took < delay || attributes(made[0])["db.query.text"] != "SELECT lab_sleep(?)" {
			t.Errorf("%s: %v took %v, want the sleep of %v", tt.name, attributes(made[0]), took, delay)
		}
	}
}

func TestFaultsOff(t *testing.T) {
	l := newHarness(t, Config{})
	if _, err := l.List(fault.Baggage(t.Context(), fault.Fault{Error: true}), 1, users.Cursor{}); err != nil {
		t.Errorf("List() = %v with faults off", err)
	}
	if n := len(l.spans.Ended()); n != 1 {
		t.Errorf("%d spans, want 1", n)
	}
}

// A slow request delays neither writers nor readers.
func TestFaultDoesNotBlock(t *testing.T) {
	l := newHarness(t, Config{Faults: true})
	slow := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := l.Create(fault.Baggage(context.Background(), fault.Fault{Delay: 300 * time.Millisecond}), users.New{Name: "S", Email: "s@example.com"})
		slow <- err
	}()
	<-started
	l.create(t, "N", "n@example.com")
	if _, err := l.Get(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-slow:
		t.Errorf("the slow request ended before the quick ones: %v", err)
	default:
	}
	if err := <-slow; err != nil {
		t.Error(err)
	}
}
