package stack

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

var update = flag.Bool("update", false, "write pins.json anew")

// The pins that are built in are those of the modules in ci/stack.
func TestBuiltInPins(t *testing.T) {
	want, err := pins(checkout, specs())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		var all []Pin
		for _, sp := range specs() {
			if pin, ok := want[sp.name]; ok {
				all = append(all, pin)
			}
		}
		raw, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("pins.json", append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		builtIn = raw
	}
	has, err := pins("", specs())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, has, cmpopts.IgnoreFields(Pin{}, "Dir")); diff != "" {
		t.Errorf("pins.json is not what ci/stack says (-ci/stack, +pins.json); run go test ./ci/internal/stack -update\n%s", diff)
	}
}

// outside is a stack without a checkout, with an empty cache.
func outside(t *testing.T, mode Mode) *Stack {
	t.Helper()
	lock, err := images.Load(filepath.Join(checkout, "config", "images.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Cache: t.TempDir(), Mode: mode, Images: lock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// putCompiled writes a program into the cache as a compile does.
func putCompiled(t *testing.T, s *Stack, name, release, key string, finished time.Time) (dir string) {
	t.Helper()
	dir = filepath.Join(s.cfg.Cache, "source", name+"-"+release+"-"+key)
	tmp := t.TempDir()
	if err := os.WriteFile(filepath.Join(tmp, name), []byte("program"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := finish(tmp, dir, stored{Version: release, Path: name}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, descriptor), finished, finished); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Without a checkout, a program that was compiled in one is taken from the cache: the
// newest of the pinned release.
func TestCompiledOutsideOfACheckout(t *testing.T) {
	s := outside(t, Source)
	if missing := s.Missing(t.Context()); len(missing) != 4 {
		t.Fatalf("missing from an empty cache: %v", missing)
	}
	now := time.Now()
	var newest string
	for _, pin := range s.Pins() {
		putCompiled(t, s, pin.Name, pin.Release, "1", now.Add(-2*time.Hour))
		dir := putCompiled(t, s, pin.Name, pin.Release, "2", now.Add(-time.Hour))
		putCompiled(t, s, pin.Name, "0.0.1", "3", now)
		putCompiled(t, s, pin.Name, pin.Release+"-rc.1", "4", now)
		if pin.Name == images.Loki {
			newest = dir
		}
	}
	set, err := s.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := set.Program(images.Loki); filepath.Dir(p.Path) != newest {
		t.Errorf("loki is %s, want that in %s", p.Path, newest)
	}
	old, err := s.Old(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range old {
		if !strings.Contains(o.Dir, "-0.0.1-") {
			t.Errorf("%s would be deleted", o.Dir)
		}
	}
	if len(old) != 4 {
		t.Errorf("%d old programs, want the 4 of another release", len(old))
	}
}

// A compile without the sources fails, and says how to get the sources.
func TestCompileOutsideOfACheckout(t *testing.T) {
	_, err := outside(t, Source).Resolve(t.Context())
	if !errors.Is(err, errNoSources) {
		t.Fatalf("Resolve() = %v, want errNoSources", err)
	}
	for _, want := range []string{"loki 3.", "git clone https://github.com/lgtm-lab/lgtm-lab", "stack build"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not say %q", err, want)
		}
	}
}
