package stack

import (
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var compile = flag.Bool("compile", false, "compile the lean Alloy if it is not in the cache")

// leanAlloyHere returns the lean Alloy of this checkout out of the user's cache. Another
// Alloy that `lab stack build` has found or compiled is no substitute.
func leanAlloyHere(t *testing.T) Program {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the real Alloy")
	}
	root, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Root: root, Mode: Source})
	if err != nil {
		t.Fatal(err)
	}
	for _, sp := range s.specs {
		if sp.name != "alloy" {
			continue
		}
		recipes, err := s.recipes(sp)
		if err != nil {
			t.Fatal(err)
		}
		r := recipes[len(recipes)-1]
		tc, err := goToolchain(t.Context(), r.pin)
		if err != nil {
			t.Skip(err)
		}
		dir, err := s.sourceDir(r, tc)
		if err != nil {
			t.Fatal(err)
		}
		p, err := cached(sp.name, Source, dir)
		if errors.Is(err, errAbsent) && *compile {
			p, err = s.compileBy(t.Context(), r)
		}
		if errors.Is(err, errAbsent) {
			t.Skip("the lean Alloy is not on this machine: go test ./ci/internal/stack -run TestLeanAlloy -compile -timeout 1h")
		}
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatal("no Alloy among the programs")
	return Program{}
}

// alloy runs Alloy in config/ and returns what it prints, and whether it succeeds.
func alloy(t *testing.T, p Program, args ...string) (string, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.Path, args...)
	cmd.Dir = filepath.Join(checkout, "config")
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// The lean Alloy takes every configuration of the lab, and has every component that they
// name.
func TestLeanAlloyTakesTheLabsConfiguration(t *testing.T) {
	p := leanAlloyHere(t)
	for _, config := range []string{"alloy/config.alloy", "alloy"} {
		if out, ok := alloy(t, p, "validate", "--stability.level=experimental", config); !ok {
			t.Errorf("%s: %s", config, out)
		}
	}
	// `validate` does not look into the modules that a configuration imports. Their
	// components, alone in a file, are known or not, whatever else is wrong with the file.
	for _, name := range p.Components {
		file := filepath.Join(t.TempDir(), "one.alloy")
		if err := os.WriteFile(file, []byte(name+" \"it\" {\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := alloy(t, p, "validate", "--stability.level=experimental", file)
		if strings.Contains(out, "compiled lean") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// What the lean Alloy lacks, it names, and it says how to have it.
func TestLeanAlloySaysWhatItLacks(t *testing.T) {
	p := leanAlloyHere(t)
	if out, ok := alloy(t, p, "--version"); !ok || !strings.Contains(out, p.Version) {
		t.Errorf("--version prints %q", out)
	}
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String() // Alloy refuses port 0 before it reads the rest
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args   []string
		config string
		want   string
	}{
		"component":  {[]string{"validate"}, "loki.write \"x\" {\n}\n", `component name "loki.write": this Alloy was compiled lean`},
		"git":        {[]string{"run", "--disable-reporting", "--server.http.listen-addr=" + address, "--storage.path=" + dir}, "import.git \"x\" {\n\trepository = \"https://127.0.0.1/none\"\n\tpath = \"x\"\n}\n", "compiled without import.git"},
		"conversion": {[]string{"convert", "--source-format=prometheus"}, "global: {}\n", "compiled without converters"},
		"peers": {
			[]string{"run", "--disable-reporting", "--server.http.listen-addr=" + address, "--storage.path=" + dir, "--cluster.enabled", "--cluster.advertise-address=127.0.0.1:1", "--cluster.discover-peers=provider=aws"},
			"logging {\n}\n", "compiled without --cluster.discover-peers",
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.alloy")
			if err := os.WriteFile(file, []byte(test.config), 0o600); err != nil {
				t.Fatal(err)
			}
			out, ok := alloy(t, p, append(test.args, file)...)
			if ok || !strings.Contains(out, test.want) || !strings.Contains(out, "lab stack build --full") {
				t.Errorf("alloy %v (success: %v) prints %s\nwant %q, and how to have all of Alloy", test.args, ok, out, test.want)
			}
		})
	}
}
