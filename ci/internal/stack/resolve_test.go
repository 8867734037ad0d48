package stack

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// auto's order: PATH, what is in the cache, images, source. Each step has all
// that the later ones have, and must win over them.
func TestAutoOrder(t *testing.T) {
	reg := newRegistry(t)
	f := imagesFixture(t, reg.push(t, imageOf(t, layerWith(staticELF()))))
	f.mode = Auto

	// Nothing is here and the registry is away: source, and the reason says why.
	reg.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "closed", http.StatusForbidden)
		return true
	})
	set := mustResolve(t, f)
	if p, _ := set.Program("loki"); p.Source != Source {
		t.Errorf("without a registry: %+v", p)
	}
	if want := "stack: source (registry not reachable: "; !strings.HasPrefix(set.Reason, want) || strings.Contains(set.Reason, "\n") {
		t.Errorf("Reason = %q, want one line that begins %q", set.Reason, want)
	}

	// What was compiled comes before the registry, which is back.
	reg.Intercept(nil)
	set = mustResolve(t, f)
	if p, _ := set.Program("loki"); p.Source != Source || len(reg.Requests("")) != 0 {
		t.Errorf("with a compiled program: %+v, %d requests to the registry", p, len(reg.Requests("")))
	}

	// With an empty cache the images come before a compile.
	f.cache = filepath.Join(t.TempDir(), "another")
	set = mustResolve(t, f)
	if p, _ := set.Program("loki"); p.Source != Images {
		t.Errorf("with a registry: %+v", p)
	}
	if want := "stack: images (the registry answers)"; set.Reason != want {
		t.Errorf("Reason = %q, want %q", set.Reason, want)
	}
	set = mustResolve(t, f)
	if want := "stack: images; 1 of 1 were there already"; set.Reason != want {
		t.Errorf("Reason = %q, want %q", set.Reason, want)
	}

	// PATH comes before all.
	file := fakeProgram(t, "loki", "loki, version 3.7.7 (branch: x)")
	set = mustResolve(t, f)
	if p, _ := set.Program("loki"); p.Source != Path || p.Path != file || p.Version != "3.7.7" {
		t.Errorf("with a program on PATH: %+v", p)
	}
	if want := "stack: path"; set.Reason != want {
		t.Errorf("Reason = %q, want %q", set.Reason, want)
	}
	// Unless its version is another.
	fakeProgram(t, "loki", "loki, version 3.6.0 (branch: x)")
	if p, _ := mustResolve(t, f).Program("loki"); p.Source != Images {
		t.Errorf("with another version on PATH: %+v", p)
	}
}

func TestAutoNotOnLinux(t *testing.T) {
	reg := newRegistry(t)
	f := imagesFixture(t, reg.push(t, imageOf(t, layerWith(staticELF()))))
	f.mode = Auto
	reg.Intercept(nil)
	s := f.stack(t)
	s.goos = "darwin"
	set, err := s.Resolve(t.Context())
	if err != nil {
		t.Fatalf("Resolve() = %v", err)
	}
	if p, _ := set.Program("loki"); p.Source != Source || !strings.Contains(set.Reason, "this is darwin") || len(reg.Requests("")) != 0 {
		t.Errorf("%+v, %q, %d requests to the registry", p, set.Reason, len(reg.Requests("")))
	}
}

// A registry that answers may still not give the image.
func TestAutoFallsBackToSource(t *testing.T) {
	reg := newRegistry(t)
	f := imagesFixture(t, reg.push(t, imageOf(t, layerWith("no program"))))
	f.mode = Auto
	rec := &events{t: t}
	f.progress = rec.add
	set := mustResolve(t, f)
	if p, _ := set.Program("loki"); p.Source != Source || !strings.Contains(set.Reason, "the image failed: ") {
		t.Errorf("%+v, %q", p, set.Reason)
	}
	if e, ok := rec.last(PhaseFailed); !ok || !strings.Contains(e.Err.Error(), "not an ELF program") {
		t.Errorf("the failure of the image is not reported: %+v", e)
	}
	f.nothingHalf(t)
}

func TestGrafanaIsOptional(t *testing.T) {
	reg := newRegistry(t)
	ref := reg.push(t, imageOf(t, layerWith(staticELF())))
	f := imagesFixture(t, ref)
	f.lock = lockOf(t, map[string]string{"loki": ref, "grafana": reg.Host + "/grafana/grafana:9.9.9@sha256:" + strings.Repeat("0", 64)})
	f.specs = append(f.specs, spec{name: "grafana", optional: true, inImage: []string{"/usr/bin/grafana"}, homeInImage: "/usr/share/grafana"})
	for _, mode := range []Mode{Auto, Images, Source} {
		t.Run(string(mode), func(t *testing.T) {
			f.mode, f.cache = mode, filepath.Join(t.TempDir(), "cache")
			set := mustResolve(t, f)
			if _, ok := set.Program("grafana"); ok {
				t.Error("Grafana is there, from nowhere")
			}
			if !strings.Contains(set.Hint, "put grafana 9.9.9 on PATH") || strings.Contains(set.Hint, "\n") {
				t.Errorf("Hint = %q, want one line that says how", set.Hint)
			}
		})
	}

	// A ready lab does not wait for a registry that was silent a moment ago.
	f.mode, f.cache = Auto, filepath.Join(t.TempDir(), "cache")
	reg.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "closed", http.StatusForbidden)
		return true
	})
	mustResolve(t, f)
	before := len(reg.Requests(""))
	if set := mustResolve(t, f); before == 0 || len(reg.Requests("")) != before || set.Hint == "" {
		t.Errorf("%d requests at first, then %d; hint %q", before, len(reg.Requests(""))-before, set.Hint)
	}
}

func TestPathMode(t *testing.T) {
	f := newFixture(t)
	f.mode = Path
	if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), "loki 1.2.3 or 9.9.9 is not on PATH") {
		t.Errorf("Resolve() = %v, want what is not on PATH", err)
	}
	fakeProgram(t, "loki", "loki, version 1.2.30 (branch: x)")
	if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), "1.2.30") {
		t.Errorf("Resolve() = %v, want the version that it found", err)
	}
	fakeProgram(t, "loki", "loki, version v1.2.3\n  go version: go1.26")
	if p, ok := mustResolve(t, f).Program("loki"); !ok || p.Version != "1.2.3" {
		t.Errorf("Program(loki) = %+v, %v", p, ok)
	}
	// Grafana needs its home as well.
	f.specs = append(f.specs, spec{name: "grafana", optional: true, homeInImage: "/usr/share/grafana"})
	file := fakeProgram(t, "grafana", "grafana version 9.9.9")
	home := filepath.Join(filepath.Dir(filepath.Dir(file)))
	if err := os.MkdirAll(filepath.Join(home, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "conf", "defaults.ini"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	set := mustResolve(t, f)
	if p, ok := set.Program("grafana"); !ok || p.Home != home || set.Hint != "" {
		t.Errorf("Program(grafana) = %+v, %v; want home %s and no hint, not %q", p, ok, home, set.Hint)
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		output, version string
		want            bool
	}{
		{"loki, version 3.7.7 (branch: , revision: x)", "3.7.7", true},
		{"alloy, version v1.19.2 (branch: )", "v1.19.2", true},
		{"Version 13.1.3 (commit: x)", "13.1.3", true},
		{"Mimir, version 3.0.5+main.aced80d74930 (branch: x)", "3.0.5+main.aced80d74930", true},
		{"Mimir, version 3.0.5 (branch: x)", "3.0.5+main.aced80d74930", false},
		{"loki, version 13.7.7", "3.7.7", false},
		{"loki, version 3.7.70", "3.7.7", false},
		{"loki, version 3.7.7-rc.1", "3.7.7", false},
		{"loki, version 3x7.7", "3.7.7", false},
		{"", "3.7.7", false},
	}
	for _, tt := range tests {
		if got := names(tt.output, tt.version); got != tt.want {
			t.Errorf("names(%q, %q) = %v, want %v", tt.output, tt.version, got, tt.want)
		}
	}
}

func TestParseMode(t *testing.T) {
	for _, s := range []string{"auto", "path", "images", "source"} {
		var m Mode
		if err := m.Set(s); err != nil || m.String() != s {
			t.Errorf("Set(%q) = %v, gives %q", s, err, m)
		}
	}
	if m, err := ParseMode(""); err != nil || m != Auto {
		t.Errorf("ParseMode() = %q, %v, want auto", m, err)
	}
	if _, err := ParseMode("docker"); err == nil || !strings.Contains(err.Error(), "docker") {
		t.Errorf("ParseMode(docker) = %v", err)
	}
}

func mustResolve(t *testing.T, f *fixture) Set {
	t.Helper()
	set, err := f.resolve(t)
	if err != nil {
		t.Fatalf("Resolve() = %v", err)
	}
	return set
}
