package local

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// loopbacks are the addresses that a program may mean by localhost. The lab listens on
// the first. Another program that listens on the second would get what is meant for the
// lab: most clients try that one first.
var loopbacks = []string{"127.0.0.1", "::1"}

// everywhere stands for all addresses of this machine.
const everywhere = "0.0.0.0"

// hasAddress tells whether this machine has the loopback address; some have no IPv6.
func hasAddress(address string) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		ip, _, err := net.ParseCIDR(a.String())
		return err == nil && ip.Equal(net.ParseIP(address))
	})
}

// portsError is the error of ports that other programs have.
func portsError(busy []string) error {
	return fmt.Errorf("%s\nend that program, or give the lab other ports: --free-ports, or --port NAME=NUMBER (see `lab up --help`)",
		strings.Join(busy, "\n"))
}

// portWithin is how long a component that is started again waits for its port.
const portWithin = 30 * time.Second

// awaitPorts returns once the ports of the specs are free. A lab of which no component
// runs can have others, so it fails at once. A component of a lab that runs is known to
// the others by its ports. So it waits for a port that another program has taken since it
// ended, and says who has it: often a connection that is over soon.
func (l *Lab) awaitPorts(ctx context.Context, specs []spec, labRuns bool) error {
	busy := busyPorts(specs, loopbacks[:1])
	if len(busy) == 0 {
		return nil
	}
	if !labRuns {
		return portsError(busy)
	}
	l.cfg.Progress(fmt.Sprintf("%s\nwaiting up to %v until that program gives it up; the other components run on", strings.Join(busy, "\n"), portWithin))
	waiting, cancel := context.WithTimeout(ctx, portWithin)
	defer cancel()
	for len(busy) > 0 {
		if err := wait.For(waiting, 100*time.Millisecond); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%w\nThe other components run on", portsError(busy))
		}
		busy = busyPorts(specs, loopbacks[:1])
	}
	return nil
}

// busyPorts returns a sentence for each port of the specs that another program listens
// on, at one of the addresses. The sentence names the program where the operating system
// tells.
func busyPorts(specs []spec, addresses []string) []string {
	deadline := time.Now().Add(time.Second)
	addresses = slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a != loopbacks[0] && !hasAddress(a) })
	var waiting sync.WaitGroup
	var sentences []*string
	for _, s := range specs {
		for _, port := range s.ports {
			for _, address := range addresses {
				sentence := new(string)
				sentences = append(sentences, sentence)
				waiting.Go(func() {
					if isFree(address, port, deadline) {
						return
					}
					*sentence = fmt.Sprintf("port %d, which %s needs, is in use%s", port, s.name, holder(address, port))
					if address != loopbacks[0] {
						*sentence = fmt.Sprintf("%s at [%s]; what is sent to localhost:%d would go there, and not to the lab", *sentence, address, port)
					}
				})
			}
		}
	}
	waiting.Wait()
	var busy []string
	for _, s := range sentences {
		if *s != "" {
			busy = append(busy, *s)
		}
	}
	return busy
}

// isFree reports whether no other program listens on the port, by the deadline. A
// program that was just ended is gone for the operating system a moment before its
// sockets are.
func isFree(address string, port int, deadline time.Time) bool {
	at := net.JoinHostPort(address, strconv.Itoa(port))
	for ; ; time.Sleep(20 * time.Millisecond) {
		l, err := net.Listen("tcp", at)
		if err == nil {
			// Some systems let two programs listen on one port, one of them at all
			// addresses; an answer tells. Nothing of ours accepts here any more.
			if l.Close() == nil && !answers(at) {
				return true
			}
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// answers tells whether a program accepts connections at the address.
func answers(at string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// holder says which program listens on the port, " by NAME (process N)".
func holder(address string, port int) string {
	conns, err := psnet.ConnectionsWithContext(thisMachine, "tcp")
	if err != nil {
		return ""
	}
	for _, c := range conns {
		if c.Status != "LISTEN" || int(c.Laddr.Port) != port || c.Pid == 0 {
			continue
		}
		// A program that listens at all addresses listens at this one.
		if ip := net.ParseIP(c.Laddr.IP); ip != nil && !ip.IsUnspecified() && !ip.Equal(net.ParseIP(address)) {
			continue
		}
		if p, err := process.NewProcessWithContext(thisMachine, c.Pid); err == nil {
			if name, err := p.NameWithContext(thisMachine); err == nil {
				return fmt.Sprintf(" by %s (process %d)", name, c.Pid)
			}
		}
	}
	return ""
}
