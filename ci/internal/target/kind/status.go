package kind

import (
	"context"
	"fmt"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Status implements [target.Target].
func (t *Target) Status(ctx context.Context) (target.Status, error) {
	c := t.cluster()
	addresses := map[string]string{}
	for component, inside := range map[string]int{target.Frontend: target.FrontendNodePort, target.Grafana: target.GrafanaNodePort} {
		port, err := c.HostPort(ctx, inside)
		if err != nil {
			return target.Status{}, t.notUp(err)
		}
		if port > 0 {
			addresses[component] = address(port)
		}
	}
	s, err := t.workloads(c).Status(ctx, addresses)
	return s, t.notUp(err)
}

// address returns the URL of a published port on this machine.
func address(port int) string { return fmt.Sprintf("http://localhost:%d", port) }
