package kubernetes

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// Up says that a cluster enforces no policies, and nothing of one that does.
func TestUpProbesThePolicies(t *testing.T) {
	const says = "does not enforce network policies"
	for word, want := range map[string]bool{Enforced: false, NotEnforced: true} {
		f := newCluster()
		f.answers["logs job-pod"] = word + "\n"
		f.answers["get namespace observability"] = `{"` + ImageNote + `": "lab"}` // noted by Up itself
		lab, said := newTarget(t, f, Options{Images: ownImages()})
		if _, err := lab.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		if have := strings.Contains(said.String(), says); have != want {
			t.Errorf("%s: it says so: %v, in %q", word, have, said)
		}
		if !f.called("create --filename=-") || !strings.Contains(f.stdin["create"], ProbeCommand) {
			t.Errorf("%s: no Job of %s", word, ProbeCommand)
		}
	}
}

// A connection that no policy opens must fail, and one that a policy opens must not.
func TestProbe(t *testing.T) {
	before := probeFor
	probeFor = 100 * time.Millisecond
	t.Cleanup(func() { probeFor = before })
	open, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if word, err := Probe(t.Context(), open.Addr().String(), closed.Addr().String()); word != Enforced || err != nil {
		t.Errorf("%q, %v", word, err)
	}
	if word, err := Probe(t.Context(), closed.Addr().String(), closed.Addr().String()); err == nil || !strings.Contains(err.Error(), "that the policies allow") {
		t.Errorf("without any network: %q, %v", word, err)
	}
	if word, err := Probe(t.Context(), open.Addr().String(), open.Addr().String()); word != NotEnforced || err != nil {
		t.Errorf("where all is open: %q, %v", word, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if word, err := Probe(ended, open.Addr().String(), open.Addr().String()); err == nil {
		t.Errorf("after its end: %q", word)
	}
}
