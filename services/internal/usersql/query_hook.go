package usersql

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// Database describes a database to the telemetry of its queries.
type Database struct {
	// Scope is the instrumentation scope of the spans and metrics.
	Scope string
	// System is the value of db.system.name.
	System dbconv.SystemNameAttr
	// Namespace is the value of db.namespace.
	Namespace string
	// Server has server.address and server.port, where there is a server.
	Server []attribute.KeyValue
	// Code returns the database's code of an error, "" if it has none.
	Code func(error) string
}

// durationBuckets are in seconds. Those of the semantic conventions begin at 1 ms, but
// nearly every query here takes less. The last buckets are for injected faults, which
// take up to 5 s.
var durationBuckets = metric.WithExplicitBucketBoundaries(
	0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
)

// QueryHook records a client span and db.client.operation.duration for every query, as
// the semantic conventions for SQL databases define them.
type QueryHook struct {
	tracer   trace.Tracer
	duration dbconv.ClientOperationDuration
	database Database
	// statements are the *statement of each kind.
	statements sync.Map
}

// NewQueryHook returns the hook for the queries to a database; nil if telemetry is off.
func NewQueryHook(t *telemetry.Telemetry, d Database) (*QueryHook, error) {
	if t.Off {
		return nil, nil
	}
	duration, err := dbconv.NewClientOperationDuration(t.MeterProvider.Meter(d.Scope), durationBuckets)
	if err != nil {
		return nil, err
	}
	return &QueryHook{tracer: t.TracerProvider.Tracer(d.Scope), duration: duration, database: d}, nil
}

// On returns the database with the hook. If telemetry is off, it is the database as it is,
// and h is nil.
func (h *QueryHook) On(db *bun.DB) *bun.DB {
	if h == nil {
		return db
	}
	return db.WithQueryHook(h)
}

// statement is what spans and measurements of a kind of query have in common.
type statement struct {
	span  string // the span's name
	attrs []attribute.KeyValue
	set   attribute.Set // the same attributes, for the measurement of a query that has not failed
}

// kind tells statements apart: the operation and the table.
type kind struct{ operation, collection string }

// statement describes a query. There are as many as operations times tables, so each is
// made once.
func (h *QueryHook) statement(event *bun.QueryEvent) *statement {
	k := kind{event.Operation(), table(event.Model)}
	if known, ok := h.statements.Load(k); ok {
		return known.(*statement)
	}
	s := &statement{span: k.operation, attrs: []attribute.KeyValue{
		semconv.DBSystemNameKey.String(string(h.database.System)), semconv.DBNamespace(h.database.Namespace), semconv.DBOperationName(k.operation),
	}}
	s.attrs = append(s.attrs, h.database.Server...)
	if k.collection != "" {
		s.attrs = append(s.attrs, semconv.DBCollectionName(k.collection))
		s.span += " " + k.collection
	}
	s.attrs = slices.Clip(s.attrs) // so that appending to them copies them
	s.set = attribute.NewSet(s.attrs...)
	h.statements.Store(k, s)
	return s
}

// BeforeQuery implements [bun.QueryHook].
func (h *QueryHook) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	s := h.statement(event)
	ctx, span := h.tracer.Start(ctx, s.span,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(event.StartTime),
		trace.WithAttributes(s.attrs...),
	)
	if span.IsRecording() {
		// Bun has already put the values into the statement.
		span.SetAttributes(semconv.DBQueryText(sanitizeQuery(event.Query)))
	}
	return ctx
}

// AfterQuery implements [bun.QueryHook].
func (h *QueryHook) AfterQuery(ctx context.Context, event *bun.QueryEvent) {
	end := time.Now()
	span := trace.SpanFromContext(ctx)
	s, took := h.statement(event), end.Sub(event.StartTime).Seconds()
	if failed := h.errorAttributes(event.Err); len(failed) > 0 {
		span.SetAttributes(failed...)
		// Without a description, because the databases' messages may quote values of the
		// statement.
		span.SetStatus(codes.Error, "")
		h.duration.RecordSet(ctx, took, attribute.NewSet(append(s.attrs, failed...)...))
	} else {
		h.duration.RecordSet(ctx, took, s.set)
	}
	span.End(trace.WithTimestamp(end))
}

// errorAttributes describes a failed query. A query that finds no row has not failed.
func (h *QueryHook) errorAttributes(err error) []attribute.KeyValue {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if code := h.database.Code(err); code != "" {
		return []attribute.KeyValue{semconv.ErrorTypeKey.String(code), semconv.DBResponseStatusCode(code)}
	}
	return []attribute.KeyValue{semconv.ErrorType(err)}
}

// table returns the name of the model's table, "" if there is no model.
func table(model schema.Model) string {
	if m, ok := model.(bun.TableModel); ok {
		return m.Table().Name
	}
	return ""
}
