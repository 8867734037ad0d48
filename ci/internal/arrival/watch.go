package arrival

import (
	"context"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// Watch calls first with a sentence for each signal, as soon as the run's first telemetry
// of that signal is in the store. It returns when that was so for all three, or when ctx
// ends.
func Watch(ctx context.Context, s query.Stores, r Run, first func(text string)) {
	var spans, lines, series bool
	for !spans || !lines || !series {
		after := func() string { return fmt.Sprintf("after %.1f s", time.Since(r.Since).Seconds()) }
		c, _ := Count(ctx, s, r) // a store that does not answer is asked again
		if ctx.Err() != nil {
			return
		}
		if !spans && c.Spans > 0 {
			spans = true
			first(fmt.Sprintf("first trace %s: %s (lab trace %s)", after(), c.TraceName, c.TraceID))
		}
		if !lines && c.Lines > 0 {
			lines = true
			first("first log line " + after())
		}
		if !series && c.Series > 0 {
			series = true
			first(fmt.Sprintf("first metrics %s: %d series", after(), c.Series))
		}
		if wait.For(ctx, pause(time.Since(r.Since))) != nil {
			return
		}
	}
}

// pause is the time between two questions: short while a person waits for the first
// telemetry, longer for an application that never sends one of the signals.
func pause(running time.Duration) time.Duration {
	return min(max(askEvery, running/20), 10*time.Second)
}
