package httpx

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"go.opentelemetry.io/contrib/propagators/autoprop"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// What it costs to reject a request, and to answer one that does nothing. Neither
// includes the connection, and the latter not the export of its span and its log record.
func BenchmarkRouter(b *testing.B) {
	tel := &telemetry.Telemetry{
		Logger:         slog.New(slog.NewJSONHandler(io.Discard, nil)), //nolint:sloglint // DiscardHandler would make no text
		TracerProvider: sdktrace.NewTracerProvider(),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
		Propagator:     autoprop.NewTextMapPropagator(),
	}
	for _, isFull := range []bool{false, true} {
		name := "Served"
		if isFull {
			name = "Rejected"
		}
		b.Run(name, func(b *testing.B) {
			router := NewRouter(RouterConfig{Telemetry: tel, ServerName: "test:80", MaxInFlight: 1})
			router.Handle("GET /things/{id}", func(w http.ResponseWriter, _ *http.Request) error {
				return WriteJSON(w, http.StatusOK, thing{})
			})
			if isFull {
				_ = router.admission.enter(b.Context())
				router.admission.waiting.Store(queueFactor)
			}
			b.ReportAllocs()
			for b.Loop() {
				router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/things/1", nil))
			}
		})
	}
}
