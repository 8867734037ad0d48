package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// scope is the instrumentation scope of the service's own metrics.
const scope = "github.com/lgtm-lab/lgtm-lab/services/backend"

// metrics are the service's business metrics.
type metrics struct {
	created metric.Int64Counter // lab.users.created
	deleted metric.Int64Counter // lab.users.deleted
}

// newMetrics creates the instruments. Each export calls count for lab.users.
func newMetrics(provider metric.MeterProvider, count func() int64) (*metrics, error) {
	meter := provider.Meter(scope)
	created, err1 := meter.Int64Counter("lab.users.created",
		metric.WithUnit("{user}"), metric.WithDescription("Users created since the start."))
	deleted, err2 := meter.Int64Counter("lab.users.deleted",
		metric.WithUnit("{user}"), metric.WithDescription("Users deleted since the start."))
	_, err3 := meter.Int64ObservableGauge("lab.users",
		metric.WithUnit("{user}"), metric.WithDescription("Number of users."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(count())
			return nil
		}))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	// A counter's series begins with its first value. Without these two calls the first
	// created user would begin the series, and would not count as an increase.
	created.Add(context.Background(), 0)
	deleted.Add(context.Background(), 0)
	return &metrics{created: created, deleted: deleted}, nil
}
