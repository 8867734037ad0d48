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

// retryingSpanExporter and retryingLogExporter try again what an exporter gives up before retryMaxElapsed
// is over: over HTTP at once when a connection is refused, which is what a collector
// looks like while it restarts; over gRPC after OTEL_EXPORTER_OTLP_TIMEOUT, 10 s
// unless set, in which it counts its retries. Metrics need none of it: the next
// export has the sums of all before.
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

// patiently exports until it is heard, retryMaxElapsed is over or ctx ends. It reports the
// first failure when it happens: who has mistyped an address should not wait.
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
			otel.Handle(fmt.Errorf("%w; the %s are kept and tried again for up to %v", err, what, retryMaxElapsed))
		}
		last = err
		return struct{}{}, err
	}, backoff.WithBackOff(retryBackOff()), backoff.WithMaxElapsedTime(retryMaxElapsed))
	if err != nil && ctx.Err() != nil && last != nil {
		return errors.Join(err, last) // when, and why
	}
	return err
}

// pauses are those between two attempts, as [retry] has them.
func retryBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = retryInitialInterval, retryMaxInterval
	return b
}

// isTransient tells whether an export failed because nobody was there, or did not answer
// in time, or went away before the answer. It may then arrive twice: Tempo takes a
// span that it has for the same, and Loki a line.
func isTransient(err error) bool {
	var network *net.OpError
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return true
	}
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}
