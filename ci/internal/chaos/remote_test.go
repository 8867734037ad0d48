package chaos

import (
	"context"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// clearing is a target whose commands leave something behind that they take away when their
// context has ended.
type clearing struct {
	target.Remote
	ended   chan struct{} // closed when the command may end
	cleared bool
}

func (c *clearing) Execute(ctx context.Context, _ []string) (target.Executed, error) {
	<-ctx.Done()
	<-c.ended
	c.cleared = true
	return target.Executed{}, context.Cause(ctx)
}

// After Ctrl-C the command inside the target is waited for: it takes its Job away.
func TestObservationInsideEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lab := &clearing{ended: make(chan struct{})}
	watching := observeInside(ctx, lab, ObserveOptions{Rate: 1}, Scenario{}, func(string) {})
	cancel()
	if err := watching.begun(ctx); err == nil {
		t.Error("the traffic of an interrupted observation has begun")
	}
	go close(lab.ended)
	if _, err := watching.result(ctx); err == nil || !lab.cleared {
		t.Errorf("result = %v; cleared: %v", err, lab.cleared)
	}
}
