package target

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
)

// Ports are the TCP ports of the local target. The fields are ports in
// 1..65535; 0 is not allowed, because the components must know each other's ports.
type Ports struct {
	Frontend      int `json:"frontend"`
	Backend       int `json:"backend"`
	Grafana       int `json:"grafana"`
	Loki          int `json:"loki"`
	LokiGRPC      int `json:"loki_grpc"`
	Tempo         int `json:"tempo"`
	TempoGRPC     int `json:"tempo_grpc"`
	TempoOTLP     int `json:"tempo_otlp"`
	Mimir         int `json:"mimir"`
	MimirGRPC     int `json:"mimir_grpc"`
	Alloy         int `json:"alloy"`
	AlloyOTLPGRPC int `json:"otlp_grpc"`
	AlloyOTLPHTTP int `json:"otlp_http"`
	Inspector     int `json:"inspector"`
}

// DefaultPorts are the ports that a lab on this machine uses unless told
// otherwise: each program's usual port, unless two programs have the same.
func DefaultPorts() Ports {
	return Ports{
		Frontend: 8080, Backend: 8081, Grafana: 3000,
		Loki: 3100, LokiGRPC: 9096,
		Tempo: 3200, TempoGRPC: 9097, TempoOTLP: 14318,
		Mimir: 9009, MimirGRPC: 9098,
		Alloy: 12345, AlloyOTLPGRPC: 4317, AlloyOTLPHTTP: 4318, Inspector: 4319,
	}
}

// fields lists the ports by the name under which a person sets them.
func (p *Ports) fields() []struct {
	name string
	port *int
} {
	return []struct {
		name string
		port *int
	}{
		{"frontend", &p.Frontend}, {"backend", &p.Backend}, {"grafana", &p.Grafana},
		{"loki", &p.Loki}, {"loki_grpc", &p.LokiGRPC},
		{"tempo", &p.Tempo}, {"tempo_grpc", &p.TempoGRPC}, {"tempo_otlp", &p.TempoOTLP},
		{"mimir", &p.Mimir}, {"mimir_grpc", &p.MimirGRPC},
		{"alloy", &p.Alloy}, {"otlp_grpc", &p.AlloyOTLPGRPC}, {"otlp_http", &p.AlloyOTLPHTTP}, {"inspector", &p.Inspector},
	}
}

// Set changes the named port, one of the names under which Ports is written as
// JSON. It fails on an unknown name or a number outside 1..65535.
func (p *Ports) Set(name string, port int) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("port %s=%d: not in 1..65535", name, port)
	}
	var names []string
	for _, f := range p.fields() {
		if f.name == name {
			*f.port = port
			return nil
		}
		names = append(names, f.name)
	}
	return fmt.Errorf("port %s=%d: no such port; there are %s", name, port, strings.Join(names, ", "))
}

// Check fails when two components have the same port.
func (p Ports) Check() error {
	seen := map[int]string{}
	for _, f := range p.fields() {
		if other, dup := seen[*f.port]; dup {
			return fmt.Errorf("port %d is given to both %s and %s", *f.port, other, f.name)
		}
		seen[*f.port] = f.name
	}
	return nil
}

// Or returns the ports, with those of other in the place of zeros: notes of an earlier
// version have no port for a new component.
func (p Ports) Or(other Ports) Ports {
	others := other.fields()
	for i, f := range p.fields() {
		if *f.port == 0 {
			*f.port = *others[i].port
		}
	}
	return p
}

// FreePorts chooses ports on which no program listens now, at either of the addresses that
// are called localhost. Another program may take them at any time, so start the lab soon.
func FreePorts() (Ports, error) {
	var p Ports
	given := map[int]bool{}
	for _, f := range p.fields() {
		for tries := 0; *f.port == 0; tries++ {
			port := lowestFree + rand.IntN(highestFree-lowestFree)
			if tries > 1000 {
				return Ports{}, fmt.Errorf("finding a free port between %d and %d: a thousand are taken", lowestFree, highestFree)
			}
			l, err := net.Listen("tcp", Loopback(port))
			if err != nil || given[port] {
				if err == nil {
					_ = l.Close()
				}
				continue
			}
			// All stay open until the last is found, so that no other lab is given one.
			defer l.Close()
			if given[port] = true; !isTakenInIPv6(port) {
				*f.port = port
			}
		}
	}
	return p, nil
}

// The free ports are between these. Systems give outgoing connections, and programs that
// ask for any port, a port from 32768 on (Linux) or 49152 (others). One that the lab has
// of those can be taken while its component is started again; and what then listens there
// is sent the component's data, and may answer that it never wants it.
const lowestFree, highestFree = 15000, 32000

// isTakenInIPv6 tells whether another program listens on the port at [::1]. On a machine
// without IPv6 it returns false.
func isTakenInIPv6(port int) bool {
	other, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	defer other.Close()
	l, err := net.Listen("tcp", net.JoinHostPort("::1", strconv.Itoa(port)))
	if err != nil {
		return true
	}
	return l.Close() != nil
}

// Local returns the addresses of the local target: every component listens on this
// machine's loopback address.
func (p Ports) Local() Addresses {
	at := func(port int) string { return "http://" + Loopback(port) }
	return Addresses{
		Name:      Local,
		Frontend:  at(p.Frontend),
		Backend:   at(p.Backend),
		Alloy:     at(p.Alloy),
		Loki:      at(p.Loki),
		Tempo:     at(p.Tempo),
		Mimir:     at(p.Mimir),
		Grafana:   at(p.Grafana),
		OTLPHTTP:  at(p.AlloyOTLPHTTP),
		OTLPGRPC:  at(p.AlloyOTLPGRPC),
		Inspector: at(p.Inspector),
	}
}

// Loopback returns 127.0.0.1:port.
func Loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
