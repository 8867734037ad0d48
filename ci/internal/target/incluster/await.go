package incluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// letInWithin bounds the wait until a new pod can connect to the components. A network
// plugin knows a pod about a second after the pod has started (kube-router and kindnet,
// measured), and several seconds after that on a busy node.
const letInWithin = 30 * time.Second

// Await implements [target.Gated]: it connects to each of the components. A network plugin
// that does not know this pod yet refuses the pod's connections, or drops their packets.
func (Target) Await(ctx context.Context, at target.Addresses, components []string) error {
	return await(ctx, at, components, letInWithin)
}

func await(ctx context.Context, at target.Addresses, components []string, within time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, errTime)
	defer cancel()
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(len(components) + 1)
	for _, name := range components {
		u, err := url.Parse(at.URL(name))
		if err != nil || u.Host == "" {
			continue // the lab does not have that component
		}
		all.Go(func() error { return connect(ctx, name, u.Host, within) })
	}
	return all.Wait()
}

var errTime = errors.New("the time is up")

// connect tries until it has a connection.
func connect(ctx context.Context, name, host string, within time.Duration) error {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", host)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), errTime) {
				return context.Cause(ctx)
			}
			said := err.Error()
			if i := strings.LastIndex(said, ": "); i >= 0 {
				said = said[i+2:]
			}
			return fmt.Errorf("%w %s at %s for %v (%s)", target.ErrUnreachable, name, host, within, said)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
