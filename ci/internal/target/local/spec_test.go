package local

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// No setting of a component has the name of the lab's folder in it, where a
// configuration file could misread it; but for those of Grafana, which has no other way.
func TestSettingsHaveNoFolderName(t *testing.T) {
	name := `try #2: a"b\c $HOME %x`
	if runtime.GOOS == "windows" { // where names have none of these, and every path backslashes
		name = `try #2 $HOME %x`
	}
	dir := filepath.Join(t.TempDir(), name)
	folder, err := labdir.Claim(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := layout{folder.Path}
	if err := l.create(folder, smallCheckout(t), true, false); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]Program{}
	for _, name := range order {
		programs[name] = Program{Path: self}
	}
	specs, err := plan{layout: l, folder: folder, programs: programs}.specs()
	if err != nil || len(specs) != len(order) {
		t.Fatalf("specs() = %d, %v", len(specs), err)
	}
	for _, s := range specs {
		for _, setting := range slices.Concat(s.args, s.env) {
			if strings.HasPrefix(setting, folderVariable+"=") || s.name == "grafana" && (strings.HasPrefix(setting, "cfg:default.paths.") || strings.HasPrefix(setting, "GF_PATHS_")) {
				continue
			}
			if strings.Contains(setting, "try #2") {
				t.Errorf("%s: %s", s.name, setting)
			}
		}
		if s.dir != folder.Path {
			t.Errorf("%s runs in %s", s.name, s.dir)
		}
	}
	for name, refused := range map[string]bool{"plain": false, "a $HOME": false, "a ${X}": true, "a $__env{X}": true, "a %(x)s": true, "a 100%": false} {
		p := plan{layout: layout{filepath.Join("/", name)}, programs: programs}
		if err := p.checkGrafana(); (err != nil) != refused {
			t.Errorf("checkGrafana() in %q = %v", name, err)
		}
	}
}

// All components listen at the address that they are told, and ask each other at 127.0.0.1.
func TestListenEverywhere(t *testing.T) {
	folder, err := labdir.Claim(filepath.Join(t.TempDir(), "lab"))
	if err != nil {
		t.Fatal(err)
	}
	l := layout{folder.Path}
	if err := l.create(folder, smallCheckout(t), true, false); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]Program{}
	for _, name := range order {
		programs[name] = Program{Path: self}
	}
	ports := target.DefaultPorts()
	specs, err := plan{layout: l, folder: folder, programs: programs, ports: ports, addresses: ports.Local(), listen: everywhere}.specs()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range specs {
		settings := strings.Join(slices.Concat(s.args, s.env), "\n")
		if !strings.Contains(settings, "LAB_LISTEN=0.0.0.0") {
			t.Errorf("%s listens elsewhere:\n%s", s.name, settings)
		}
		for setting := range strings.SplitSeq(settings, "\n") {
			name, value, _ := strings.Cut(setting, "=")
			if listens := strings.Contains(strings.ToUpper(name), "LISTEN") || name == "GF_SERVER_HTTP_ADDR"; listens != strings.Contains(value, "0.0.0.0") {
				t.Errorf("%s: %s", s.name, setting)
			}
		}
		if !strings.HasPrefix(s.ready, "http://127.0.0.1:") {
			t.Errorf("%s is asked at %s", s.name, s.ready)
		}
	}
}
