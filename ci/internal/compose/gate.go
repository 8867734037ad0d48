package compose

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/relay"
)

// The ports at which containers expect OTLP over gRPC and over HTTP.
const (
	GRPCPort = 4317
	HTTPPort = 4318
)

// Gate lets containers reach the lab's OTLP endpoint, which listens on this machine's
// loopback address alone. It opens the usual ports on the address that Docker's containers
// know as host-gateway, and no other machine reaches that. The zero value is closed.
type Gate struct {
	// GRPC and HTTP are the lab's, as host:port.
	GRPC, HTTP string

	once    sync.Once
	address string
	err     error
	cancel  context.CancelFunc
	served  sync.WaitGroup
}

// Open opens the gate, and returns the address of this machine at which it is. Again, it
// returns what the first call did.
func (g *Gate) Open(ctx context.Context) (address string, err error) {
	g.once.Do(func() {
		g.address = "127.0.0.1" // Docker Desktop leads host-gateway there
		if runtime.GOOS == "linux" {
			if g.address, g.err = bridge(ctx); g.err != nil {
				return
			}
		}
		g.err = g.listen(context.WithoutCancel(ctx), g.address)
	})
	return g.address, g.err
}

// listen opens both ports on the address.
func (g *Gate) listen(ctx context.Context, address string) error {
	ctx, g.cancel = context.WithCancel(ctx)
	for number, lab := range map[int]string{GRPCPort: g.GRPC, HTTPPort: g.HTTP} {
		port := strconv.Itoa(number)
		l, err := net.Listen("tcp", net.JoinHostPort(address, port))
		if err != nil && strings.HasSuffix(lab, ":"+port) && reaches(ctx, net.JoinHostPort(address, port)) {
			continue // the lab itself listens there
		}
		if err != nil {
			return fmt.Errorf("containers send their telemetry to port %s of this machine, at %s, which cannot be opened: %w", port, address, err)
		}
		g.served.Go(func() { _ = relay.Serve(ctx, l, lab, func(string) {}) })
	}
	return nil
}

// reaches tells whether a program listens at the address.
func reaches(ctx context.Context, address string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	return err == nil && conn.Close() == nil
}

// Close closes the gate and all connections through it.
func (g *Gate) Close() {
	if g.cancel != nil {
		g.cancel()
	}
	g.served.Wait()
}

// bridge returns the address of this machine on Docker's own network.
func bridge(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", "network", "inspect", "bridge", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker network inspect bridge: %s", lastLine(out, err))
	}
	for field := range strings.FieldsSeq(string(out)) {
		ip := net.ParseIP(field)
		if ip == nil || ip.To4() == nil {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(field, "0"))
		if err != nil {
			return "", fmt.Errorf("the containers of this Docker do not reach this machine: its network's address %s is another machine's", field)
		}
		return field, l.Close()
	}
	return "", errors.New("the containers of this Docker do not reach this machine: its network has no address here")
}
