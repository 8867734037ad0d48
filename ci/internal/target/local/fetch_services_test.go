package local

import (
	"archive/zip"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// proxy writes a module proxy with one version of the lab's module, which has two small
// services, and lets the go command ask that proxy alone.
func proxy(t *testing.T, version string) {
	t.Helper()
	dir := t.TempDir()
	files := filepath.Join(dir, filepath.FromSlash(checkout.Module), "@v")
	gomod := "module " + checkout.Module + "\n\ngo 1.26.0\n"
	write(t, filepath.Join(files, "list"), version+"\n")
	write(t, filepath.Join(files, version+".mod"), gomod)
	write(t, filepath.Join(files, version+".info"), `{"Version":"`+version+`","Time":"2026-11-01T00:00:00Z"}`)
	f, err := os.Create(filepath.Join(files, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for name, content := range map[string]string{
		"go.mod": gomod, "services/frontend/main.go": serviceSource, "services/backend/main.go": serviceSource,
	} {
		w, err := z.Create(checkout.Module + "@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(dir))
	t.Setenv("GOSUMDB", "off")
	cache := t.TempDir()
	t.Setenv("GOMODCACHE", cache)
	t.Cleanup(func() { // the go command makes its files read-only
		_ = filepath.WalkDir(cache, func(file string, _ os.DirEntry, _ error) error { return os.Chmod(file, 0o700) })
	})
}

// outside is a lab whose files are built in.
func outside(t *testing.T, version string) *Lab {
	t.Helper()
	l := Open(Config{Files: checkout.BuiltIn(), Version: version, Dir: t.TempDir()})
	if err := os.MkdirAll(l.layout.newBin(), 0o755); err != nil {
		t.Fatal(err)
	}
	return l
}

// Without a checkout the services come from the module proxy, in the version of the lab.
func TestServicesOfAPublishedLab(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles")
	}
	proxy(t, "v1.2.3")
	programs, err := outside(t, "v1.2.3").services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{target.Frontend, target.Backend} {
		if info, err := os.Stat(programs[name].built); err != nil || info.Size() == 0 {
			t.Errorf("the %s: %v", name, err)
		}
	}
	_, err = outside(t, "v1.2.4").services(t.Context())
	if err == nil {
		t.Fatal("a version that the proxy does not have was installed")
	}
	for _, want := range []string{"v1.2.4", "--no-services"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not say %q", err, want)
		}
	}
}

// A lab that was built from edited files has no services anywhere else. It says so before
// it asks anybody.
func TestServicesOfAnUnpublishedLab(t *testing.T) {
	t.Setenv("PATH", "")
	for _, version := range []string{"(devel)", "v0.0.0-20261125204102-af6b28c0ffee+dirty"} {
		_, err := outside(t, version).services(t.Context())
		if err == nil || !strings.Contains(err.Error(), version) || !strings.Contains(err.Error(), "--no-services") || !strings.Contains(err.Error(), "git clone") {
			t.Errorf("%s: the error is %v", version, err)
		}
	}
	l := outside(t, "(devel)")
	l.cfg.NoServices = true
	if programs, err := l.services(t.Context()); err != nil || len(programs) != 0 {
		t.Errorf("with --no-services: %v, %v", programs, err)
	}
}

// The lab comes up without the services and takes them away when they are not wanted any
// more; the alerts about them go, too.
func TestUpWithoutServices(t *testing.T) {
	l, told := testLab(t)
	write(t, filepath.Join(l.cfg.Files.Root, "config", "mimir", "rules", "sample_services.yaml"), "first")
	write(t, filepath.Join(l.cfg.Files.Root, "config", "mimir", "rules", "stack.yaml"), "first")
	bring := func(want ...string) *State {
		t.Helper()
		state, _, err := l.Up(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range state.Processes {
			names = append(names, p.Name)
		}
		if len(names) != len(want) {
			t.Errorf("there are %v, want %v", names, want)
		}
		return state
	}
	rule := func(name string) bool {
		_, err := os.Stat(filepath.Join(l.layout.rules(), tenant, name))
		return err == nil
	}
	l.cfg.NoServices = true
	state := bring(target.Loki, target.Mimir, target.Tempo, target.Alloy)
	if state.Addresses.Frontend != "" || state.Addresses.Backend != "" || state.Addresses.Loki == "" {
		t.Errorf("the addresses are %+v", state.Addresses)
	}
	if rule("sample_services.yaml") || !rule("stack.yaml") {
		t.Error("the rules are not those of a lab without services")
	}
	l.cfg.NoServices = false
	state = bring(target.Loki, target.Mimir, target.Tempo, target.Alloy, target.Backend, target.Frontend)
	if state.Addresses.Frontend == "" || !rule("sample_services.yaml") {
		t.Errorf("the services are up, and the frontend's address is %q", state.Addresses.Frontend)
	}
	l.cfg.NoServices = true
	bring(target.Loki, target.Mimir, target.Tempo, target.Alloy)
	if !strings.Contains(told.String(), "frontend is not wanted any more: ending it") {
		t.Errorf("told:\n%s", told)
	}
	s := summary("up", state)
	for _, p := range s.Places {
		if p.URL == "" {
			t.Errorf("%s has no address", p.Name)
		}
	}
}

// When Up returns, a sender is taken at once.
func TestUpWaitsForTheReceivers(t *testing.T) {
	l, _ := testLab(t)
	l.cfg.NoServices = true
	state, _, err := l.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{state.Ports.AlloyOTLPGRPC, state.Ports.AlloyOTLPHTTP} {
		conn, err := net.Dial("tcp", target.Loopback(port))
		if err != nil {
			t.Error(err)
			continue
		}
		conn.Close()
	}
}
