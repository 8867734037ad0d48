package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// retryingSpanExporter and retryingLogExporter repeat an export that the OTLP exporter
// has given up too early. Over HTTP, that exporter gives up at once when the connection
// is refused, as it is while a collector restarts. Over gRPC, it gives up after
// OTEL_EXPORTER_OTLP_TIMEOUT (10 s unless set), which includes its retries. Metrics
// need no repetition: the next export contains the earlier sums.
type (
	retryingSpanExporter struct{ sdktrace.SpanExporter }
	retryingLogExporter  struct{ sdklog.Exporter }
)

func (p retryingSpanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return exportWithRetry(ctx, "spans", func() error { return p.SpanExporter.ExportSpans(ctx, spans) })
}

func (p retryingLogExporter) Export(ctx context.Context, records []sdklog.Record) error {
	return exportWithRetry(ctx, "log records", func() error { return p.Exporter.Export(ctx, records) })
}

// exportWithRetry calls export until it succeeds, fails for good, or retryMaxElapsed or
// ctx is over. It reports the first failure at once, so that a mistyped address shows
// early.
func exportWithRetry(ctx context.Context, what string, export func() error) error {
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := export()
		switch {
		case err == nil:
			return struct{}{}, nil
		case !isTransient(err):
			return struct{}{}, backoff.Permanent(err)
		case last == nil:
			otel.Handle(fmt.Errorf("%w; the %s are kept, and sent again for up to %v", err, what, retryMaxElapsed))
		}
		last = err
		return struct{}{}, err
	}, backoff.WithBackOff(retryBackOff()), backoff.WithMaxElapsedTime(retryMaxElapsed))
	if err != nil && ctx.Err() != nil && last != nil {
		return errors.Join(err, last) // that ctx ended, and why the export had failed
	}
	return err
}

// retryBackOff returns the pauses between two attempts; they grow as those of
// [retryConfig] do.
func retryBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = retryInitialInterval, retryMaxInterval
	return b
}

// isTransient reports whether an export failed because the receiver was not reachable,
// did not answer in time, or disconnected before its answer. The receiver may then get
// the data twice. Tempo and Loki recognise a span and a line that they have already.
func isTransient(err error) bool {
	var network *net.OpError
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return true
	}
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}
