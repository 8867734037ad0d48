package telemetry

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A batch outlasts a collector that is away, or frozen so that each attempt takes its whole
// timeout, for some minutes: the queue has room for what comes meanwhile. It is given up in
// the end.
func TestBatchOutlastsAnOutage(t *testing.T) {
	for away, want := range map[time.Duration]bool{0: true, 5 * time.Minute: true, time.Hour: false} {
		for _, attempt := range []time.Duration{0, 10 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				err := exportWithRetry(t.Context(), "spans", func() error {
					time.Sleep(attempt)
					if time.Since(begin) < away {
						return status.Error(codes.Unavailable, "away")
					}
					return nil
				})
				if (err == nil) != want {
					t.Errorf("away for %v, %v an attempt: %v after %v", away, attempt, err, time.Since(begin))
				}
			})
		}
	}
}
