package local

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Another program at [::1], or at all addresses of IPv6, gets what is sent to localhost:
// the lab does not come up beside it, and says so when it is up already.
func TestBusyLocalhost(t *testing.T) {
	for _, address := range []string{"[::1]", "[::]"} {
		t.Run(address, func(t *testing.T) {
			l, told := testLab(t)
			l.cfg.FreePorts = false
			var err error
			if l.cfg.Ports, err = target.FreePorts(); err != nil {
				t.Fatal(err)
			}
			listen := net.ListenConfig{Control: onlyIPv6}
			busy, err := listen.Listen(t.Context(), "tcp6", fmt.Sprintf("%s:%d", address, l.cfg.Ports.AlloyOTLPHTTP))
			if err != nil {
				t.Skipf("this machine has no IPv6: %v", err)
			}
			_, _, err = l.Up(t.Context())
			if err == nil {
				t.Error("Up() succeeded")
			}
			for _, want := range []string{"localhost", "alloy", "[::1]", fmt.Sprintf("process %d", os.Getpid())} {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("the message %q does not say %q", err, want)
				}
			}
			_ = busy.Close()
			up(t, l)
			if busy, err = listen.Listen(t.Context(), "tcp6", fmt.Sprintf("%s:%d", address, l.cfg.Ports.AlloyOTLPHTTP)); err != nil {
				t.Fatal(err)
			}
			defer busy.Close()
			if _, started := up(t, l); len(started) != 0 {
				t.Errorf("Up of a lab that is up started %v", started)
			}
			if !strings.Contains(told.String(), "warning: port") {
				t.Errorf("nothing is said of the other program: %s", told)
			}
		})
	}
}

// Ports are looked for when the programs are there, which may take a quarter of an hour.
func TestFreePortsAreChosenLate(t *testing.T) {
	l, _ := testLab(t)
	l.cfg.Programs = func(context.Context) (map[string]Program, error) {
		return map[string]Program{}, nil
	}
	var chosen []target.Ports
	choose := freePorts
	t.Cleanup(func() { freePorts = choose })
	built := false
	freePorts = func() (target.Ports, error) {
		_, err := os.Stat(l.layout.newBin() + string(os.PathSeparator) + target.Backend + exeSuffix)
		built = err == nil
		p, err := choose()
		chosen = append(chosen, p)
		return p, err
	}
	state, _, err := l.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !built || state.Ports != chosen[len(chosen)-1] {
		t.Errorf("the ports are chosen before the services are built: %t", !built)
	}
	again, started, err := l.Up(t.Context())
	if err != nil || len(started) != 0 || again.Ports != state.Ports {
		t.Errorf("a second Up() started %v, %v", started, err)
	}
}

func TestSetPorts(t *testing.T) {
	l := Open(Config{Dir: t.TempDir(), SetPorts: map[string]int{"loki": 3101}})
	p, err := l.ports(&State{Ports: target.Ports{Loki: 1}})
	want := target.DefaultPorts()
	want.Loki = 3101
	if err != nil || p != want {
		t.Errorf("ports() = %+v, %v", p, err)
	}
	l.cfg.FreePorts = true
	if p, err = l.ports(&State{}); err != nil || p.Loki != 3101 || p.Tempo == want.Tempo {
		t.Errorf("free ports = %+v, %v", p, err)
	}
	l.cfg.SetPorts["tempo"] = 3101
	if _, err = l.ports(&State{}); err == nil {
		t.Error("one port for two components is taken")
	}
}
