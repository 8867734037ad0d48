package kind

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// apiPort is the name of the API server's port on the command line.
const apiPort = "api"

// hostPorts are the host's ports of the frontend, Grafana and the API server; 0 means
// that the runtime picks one.
type hostPorts struct{ frontend, grafana, api int }

// usualPorts are the ports of a new cluster unless told otherwise.
var usualPorts = hostPorts{frontend: target.FrontendHostPort, grafana: target.GrafanaHostPort}

// or fills in the ports that are 0.
func (p hostPorts) or(other hostPorts) hostPorts {
	return hostPorts{cmp.Or(p.frontend, other.frontend), cmp.Or(p.grafana, other.grafana), cmp.Or(p.api, other.api)}
}

// distinct fails when two components have the same port.
func (p hostPorts) distinct() error {
	for _, pair := range []struct {
		a, b         int
		first, other string
	}{
		{p.frontend, p.grafana, target.Frontend, target.Grafana},
		{p.frontend, p.api, target.Frontend, apiPort},
		{p.grafana, p.api, target.Grafana, apiPort},
	} {
		if pair.a == pair.b && pair.a != 0 {
			return fmt.Errorf("port %d is given to both %s and %s", pair.a, pair.first, pair.other)
		}
	}
	return nil
}

// portNumber reads a port number; ok tells whether the text is one.
func portNumber(text string) (port int, ok bool) {
	port, err := strconv.Atoi(text)
	return port, err == nil && port >= 1 && port <= 65535
}

// assign takes ports from the command line, each as NAME=NUMBER.
func (p *hostPorts) assign(given []string) error {
	for _, assignment := range given {
		name, number, _ := strings.Cut(assignment, "=")
		port, ok := portNumber(number)
		if !ok {
			return fmt.Errorf("--port %q: want NAME=NUMBER, such as grafana=3001", assignment)
		}
		switch name {
		case target.Frontend:
			p.frontend = port
		case target.Grafana:
			p.grafana = port
		case apiPort:
			p.api = port
		default:
			return fmt.Errorf("--port %q: a cluster publishes only frontend, grafana and api", assignment)
		}
	}
	return nil
}
