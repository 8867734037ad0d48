package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Attend implements [target.Attended]. It reports a component that ends, once. When
// another program looks after the lab already, it says so and returns.
func (t *Target) Attend(ctx context.Context) error {
	lab, err := t.lab()
	if err != nil {
		return err
	}
	if owner := lab.Attach(); owner != 0 {
		t.o.Say(fmt.Sprintf("Another `lab up` (process %d) looks after the lab already.", owner))
		return nil
	}
	t.o.Say("Ctrl-C stops it.")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	reported := map[int]bool{}
	for {
		select {
		case <-ctx.Done():
			t.o.Line("")
			return t.stopAttended(ctx, lab)
		case <-tick.C:
		}
		state, s, err := lab.Status(ctx)
		if errors.Is(err, target.ErrNotUp) {
			t.o.Line("")
			t.o.Say("the lab was taken down")
			return nil
		}
		if err != nil || ctx.Err() != nil {
			continue
		}
		for _, ended := range state.Ended() {
			if pid := state.PID(ended.Name); !reported[pid] {
				reported[pid] = true
				t.o.Line("")
				t.o.Say(ended.Error() + "\nThe other components run on. `" + command.Name() + " up` in another terminal starts this one again; Ctrl-C stops the lab.")
			}
		}
		t.o.Line(statusLine(s, time.Now()))
	}
}

// stopAttended stops the lab after ctx has ended.
func (t *Target) stopAttended(ctx context.Context, lab *Lab) error {
	t.o.Say("stopping the lab; Ctrl-C again kills what still runs")
	stopping, cancel := interrupt.Cleanup(ctx, stopWithin)
	defer cancel()
	stopped, err := lab.Down(stopping)
	if err != nil && !errors.Is(err, target.ErrNotUp) {
		return err
	}
	t.o.Say(stoppedSentence(stopped))
	return nil
}

// statusLine is how the lab is, in one line.
func statusLine(s target.Status, now time.Time) string {
	ready := 0
	for _, c := range s.Components {
		if c.State == target.Ready {
			ready++
		}
	}
	return fmt.Sprintf("up %v · %d of %d ready · %d MB",
		now.Sub(s.Started).Round(time.Second), ready, len(s.Components), s.MemoryBytes>>20)
}
