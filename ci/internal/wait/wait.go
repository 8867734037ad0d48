// Package wait waits for a time that a context can end.
package wait

import (
	"context"
	"time"
)

// For waits for d. If ctx ends before that, For returns at once, with the cause.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
