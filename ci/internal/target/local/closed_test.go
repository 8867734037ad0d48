package local

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/certificates"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// closedPlan is a closed lab of all components but Grafana.
func closedPlan(t *testing.T) plan {
	t.Helper()
	folder, err := labdir.Claim(filepath.Join(t.TempDir(), "lab"))
	if err != nil {
		t.Fatal(err)
	}
	l := layout{folder.Path}
	if err := l.create(folder, smallCheckout(t), true, true); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]Program{}
	for _, name := range order {
		if name != target.Grafana {
			programs[name] = Program{Path: self}
		}
	}
	if _, err := certificates.Make(folder, certificates.Options{}); err != nil {
		t.Fatal(err)
	}
	ports := target.DefaultPorts()
	return plan{layout: l, folder: folder, programs: programs, ports: ports, addresses: ports.Local().OverTLS(), closed: true, inspect: true}
}

// No component of a closed lab asks another without TLS, or by an IP address, and each has
// a certificate of its own to serve and to ask with.
func TestClosedComponents(t *testing.T) {
	specs, err := closedPlan(t).specs()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range specs {
		for _, setting := range slices.Concat(s.args, s.env) {
			name, value, _ := strings.Cut(setting, "=")
			// Where it listens is an address of this machine.
			listens := strings.Contains(strings.ToLower(name), "listen") || name == "DATABASE_PATH"
			if strings.Contains(value, "http://") || !listens && strings.Contains(value, "127.0.0.1") {
				t.Errorf("%s: %s", s.name, setting)
			}
		}
		for _, want := range []string{"TLS_CERT_FILE=certificates/" + s.name + "/tls.crt", "TLS_KEY_FILE=certificates/" + s.name + "/tls.key", "TLS_CA_FILE=certificates/" + s.name + "/ca.crt"} {
			if !slices.Contains(s.env, want) {
				t.Errorf("%s lacks %s", s.name, want)
			}
		}
		if !strings.HasPrefix(s.ready, "https://localhost:") {
			t.Errorf("%s is asked at %s", s.name, s.ready)
		}
	}
}

// A lab is closed or open as it is told, and else stays what it was.
func TestWantsClosed(t *testing.T) {
	yes, no := true, false
	ports := target.DefaultPorts()
	open, closed := &State{Addresses: ports.Local()}, &State{Addresses: ports.Local().OverTLS()}
	for _, c := range []struct {
		wish  *bool
		state *State
		want  bool
	}{
		{nil, &State{}, false}, {nil, open, false}, {nil, closed, true},
		{&yes, &State{}, true}, {&yes, open, true}, {&yes, closed, true},
		{&no, &State{}, false}, {&no, open, false}, {&no, closed, false},
	} {
		l := Open(Config{Dir: t.TempDir(), Closed: c.wish})
		if have := l.wantsClosed(c.state); have != c.want {
			t.Errorf("wish %v, Loki at %q: %v, want %v", c.wish, c.state.Addresses.Loki, have, c.want)
		}
	}
}

// Whoever works with a closed lab has what it wants: the lab's client, and the files of an
// application.
func TestReachedClosedLab(t *testing.T) {
	p := closedPlan(t)
	l := Open(Config{Dir: p.layout.dir})
	state := &State{Addresses: p.addresses}
	at, err := l.reached(state)
	if err != nil || at.TLS == nil || at.Transport().TLSClientConfig == nil {
		t.Fatalf("= %+v, %v", at, err)
	}
	for _, file := range []string{at.Application.Certificate, at.Application.Key, at.Application.Authority} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(p.layout.dir, certificates.Folder)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.reached(state); err == nil || !strings.Contains(err.Error(), "authority") {
		t.Errorf("without certificates: %v", err)
	}
	if at, err := l.reached(&State{Addresses: p.ports.Local()}); err != nil || at.TLS != nil || at.Application != (target.TLSFiles{}) {
		t.Errorf("an open lab: %+v, %v", at, err)
	}
}

// A closed lab has no Grafana, and says so.
func TestClosedLabHasNoGrafana(t *testing.T) {
	said := ""
	l := Open(Config{Dir: t.TempDir(), Progress: func(line string) { said += line }, Programs: func(context.Context) (map[string]Program, error) {
		return map[string]Program{target.Grafana: {}, target.Loki: {}}, nil
	}})
	for _, closed := range []bool{false, true} {
		all, err := l.programs(t.Context(), closed)
		if _, ok := all[target.Grafana]; err != nil || ok == closed || strings.Contains(said, "Grafana") != closed {
			t.Errorf("closed %v: %v, %v; it says %q", closed, all, err, said)
		}
	}
}

// A renewed certificate replaces no component, for each reads it anew. Another authority
// replaces all, for each reads that at its start.
func TestFingerprintsOfClosedLab(t *testing.T) {
	p := closedPlan(t)
	fingerprints := func() (all []string) {
		specs, err := p.specs()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range specs {
			all = append(all, s.fingerprint)
		}
		return all
	}
	before := fingerprints()
	if _, err := certificates.Make(p.folder, certificates.Options{Renew: certificates.All}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(fingerprints(), before) {
		t.Error("a renewal replaces components")
	}
	if err := os.RemoveAll(filepath.Join(p.layout.dir, certificates.Folder)); err != nil {
		t.Fatal(err)
	}
	if _, err := certificates.Make(p.folder, certificates.Options{}); err != nil {
		t.Fatal(err)
	}
	for i, after := range fingerprints() {
		if after == before[i] {
			t.Errorf("component %d of %d stays with an authority that is gone", i, len(before))
		}
	}
}
