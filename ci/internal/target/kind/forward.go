package kind

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/relay"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// Route is a port of this machine that leads to a port that the cluster publishes.
type Route struct {
	name string
	here int // 0: the same number as the published port
}

// ParseRoute reads NAME or NAME=PORT.
func ParseRoute(text string) (Route, error) {
	name, number, chosen := strings.Cut(text, "=")
	if _, ok := nodePorts[name]; !ok {
		return Route{}, fmt.Errorf("%q: want frontend, grafana or api", name)
	}
	r := Route{name: name}
	if chosen {
		var ok bool
		if r.here, ok = portNumber(number); !ok {
			return Route{}, fmt.Errorf("%q: want NAME or NAME=PORT, such as grafana=3001", text)
		}
	}
	return r, nil
}

// nodePorts are the ports that a cluster publishes, by the names that people use.
var nodePorts = map[string]int{
	target.Frontend: target.FrontendNodePort, target.Grafana: target.GrafanaNodePort, apiPort: cluster.APIPort,
}

// Forward listens on the address, at the ports of the routes, and forwards connections to
// the machine that dockerHost names, the value of DOCKER_HOST. It forwards until ctx ends.
// When it cannot open one of the ports, it fails and closes the others.
func (t *Target) Forward(ctx context.Context, listen, dockerHost string, routes []Route) error {
	host, err := cluster.RuntimeHost(dockerHost)
	if err != nil {
		return err
	}
	c := t.cluster()
	there := make([]int, len(routes))
	for i := range routes {
		r := &routes[i]
		if there[i], err = c.HostPort(ctx, nodePorts[r.name]); err != nil {
			return t.notUp(err)
		}
		if there[i] == 0 {
			return fmt.Errorf("the cluster %s publishes no fixed port for %s; make it with --port %s=PORT", t.o.Name, r.name, r.name)
		}
		if r.here == 0 {
			r.here = there[i]
		}
	}
	return t.forward(ctx, listen, host, routes, there)
}

// forward opens the ports on this machine and forwards until ctx ends. It closes all of
// them when one cannot be opened.
func (t *Target) forward(ctx context.Context, listen, host string, routes []Route, there []int) error {
	open := make([]net.Listener, len(routes))
	for i, r := range routes {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(listen, strconv.Itoa(r.here)))
		if err != nil {
			return fmt.Errorf("%w; %s=PORT takes another port", err, r.name)
		}
		defer ln.Close()
		open[i] = ln
	}
	all, ctx := errgroup.WithContext(ctx)
	for i, r := range routes {
		to := net.JoinHostPort(host, strconv.Itoa(there[i]))
		t.say(fmt.Sprintf("%s: %s → %s", r.name, open[i].Addr(), to))
		all.Go(func() error { return relay.Serve(ctx, open[i], to, t.say) })
	}
	return all.Wait()
}
