package stack

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// newLeanFixture is a fixture whose program has a lean form: it prints how it was
// compiled, its components, and what a part says that the lean form replaces.
func newLeanFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.specs[0].lean = &lean{
		list:  "all/all.go",
		edits: []edit{{"version.go", `Form = "whole"`, `Form = "lean"`}},
		more:  []string{"kept.always"},
	}
	f.write(t, "upstream/version.go", "package upstream\n\nvar Version string\n\nvar Form = \"whole\"\n\nvar Names string\n\n"+
		"type Registration struct{ Name string }\n\nfunc Register(r Registration) { Names += r.Name + \" \" }\n\nconst Root = \""+f.root+"\"\n")
	f.write(t, "upstream/all/all.go", "// Package all has all.\npackage all\n\nimport (\n\t_ \"example.com/upstream/comp/always\"\n"+
		"\t_ \"example.com/upstream/comp/named\"\n\t_ \"example.com/upstream/comp/unused\" // heavy\n)\n")
	component := "package c\n\nimport \"example.com/upstream\"\n\n"
	f.write(t, "upstream/comp/always/c.go", component+"func init() { upstream.Register(upstream.Registration{Name: \"kept.always\"}) }\n")
	f.write(t, "upstream/comp/named/c.go", component+"const name = \"named.thing\"\n\nfunc init() { upstream.Register(upstream.Registration{Name: name}) }\n")
	f.write(t, "upstream/comp/unused/c.go", component+"func init() { upstream.Register(upstream.Registration{Name: \"un.used\"}) }\n")
	f.write(t, "upstream/part/part.go", "package part\n\nfunc Say() string { return \"heavy\" }\n")
	f.write(t, "_lean/part/part.go", "package part\n\nfunc Say() string { return \"left out\" }\n")
	f.write(t, "main.go", "package main\n\nimport (\n\t\"example.com/upstream\"\n\t_ \"example.com/upstream/all\"\n\t\"example.com/upstream/part\"\n)\n\n"+
		"func main() { print(upstream.Version, \" \", upstream.Form, \": \", upstream.Names, part.Say()) }\n")
	f.configure(t, "named.thing \"lab\" {\n}\n")
	return f
}

// configure writes the fixture's configuration of Alloy.
func (f *fixture) configure(t *testing.T, text string) {
	t.Helper()
	dir := filepath.Join(f.root, "config", "alloy")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.alloy"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// program resolves and returns the fixture's one program.
func (f *fixture) program(t *testing.T) Program {
	t.Helper()
	set, err := f.resolve(t)
	if err != nil {
		t.Fatalf("Resolve() = %v", err)
	}
	p, _ := set.Program("loki")
	if lean := strings.Contains(set.Reason, "runs: loki ("); lean != p.Lean {
		t.Errorf("lean: %v, but Reason = %q", p.Lean, set.Reason)
	}
	return p
}

func TestLeanLeavesOutWhatTheConfigurationDoesNotName(t *testing.T) {
	f := newLeanFixture(t)
	p := f.program(t)
	if out, want := run(t, p), "1.2.3 lean: kept.always named.thing left out"; out != want {
		t.Errorf("the program prints %q, want %q", out, want)
	}
	f.nothingHalf(t)

	// A configuration with one component more is one program more.
	f.configure(t, "named.thing \"lab\" {\n}\n\ndeclare \"x\" {\n\tun.used \"inner\" {\n\t}\n}\n")
	q := f.program(t)
	if out, want := run(t, q), "1.2.3 lean: kept.always named.thing un.used left out"; q.Path == p.Path || out != want {
		t.Errorf("with another component: %s prints %q, want %q", q.Path, out, want)
	}
	// So is another file of ours in the place of upstream's.
	f.write(t, "_lean/part/part.go", "package part\n\nfunc Say() string { return \"still out\" }\n")
	if out := run(t, f.program(t)); !strings.HasSuffix(out, "still out") {
		t.Errorf("after a change of what replaces upstream's file, the program prints %q", out)
	}
}

func TestFullGoesBeforeLean(t *testing.T) {
	f := newLeanFixture(t)
	lean := f.program(t)
	f.full = true
	full := f.program(t)
	if out, want := run(t, full), "1.2.3 whole: kept.always named.thing un.used heavy"; out != want || full.Path == lean.Path {
		t.Errorf("%s prints %q, want %q", full.Path, out, want)
	}
	// The one with everything in it goes first from now on.
	f.full = false
	if p := f.program(t); p.Path != full.Path {
		t.Errorf("with both there, %s is taken", p.Path)
	}
	old, err := f.stack(t).Old(t.Context())
	if err != nil || len(old) > 0 {
		t.Errorf("Old() = %v, %v; want neither of the two forms", old, err)
	}
}

// Without a checkout there is no key, and the lean program says what it has.
func TestLeanOutsideOfACheckout(t *testing.T) {
	f := newLeanFixture(t)
	lean := f.program(t)
	f.full = true
	full := f.program(t)
	taken := func(component string, onlyFull bool) string {
		t.Helper()
		f.full, f.files = onlyFull, fstest.MapFS{"config/alloy/a.alloy": {Data: []byte(component + " \"x\" {\n}\n")}}
		s := f.stack(t)
		pin := s.pins["loki"]
		pin.Dir = ""
		s.pins["loki"] = pin
		p, err := s.compiled(t.Context(), s.specs[0])
		if err != nil && !errors.Is(err, errAbsent) {
			t.Fatal(err)
		}
		return p.Path
	}
	if got := taken("named.thing", false); got != full.Path {
		t.Errorf("with both there: %q is taken", got)
	}
	if err := os.RemoveAll(filepath.Dir(full.Path)); err != nil {
		t.Fatal(err)
	}
	if got := taken("named.thing", false); got != lean.Path {
		t.Errorf("with the lean one there: %q is taken", got)
	}
	if got := taken("other.thing", false); got != "" {
		t.Errorf("a lean program without other.thing is taken: %s", got)
	}
	if got := taken("named.thing", true); got != "" {
		t.Errorf("a lean program is taken for a full one: %s", got)
	}
}

// Upstream changes. Then the compile says what of ours does not fit any more.
func TestLeanNoticesThatUpstreamHasChanged(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"edit":        {"upstream/version.go", "package upstream\n\nvar Version string\n", "version.go of example.com/upstream v1.2.3 has 0 times, not once"},
		"replacement": {"_lean/gone/gone.go", "package gone\n", "_lean/gone/gone.go replaces a file that example.com/upstream v1.2.3 does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newLeanFixture(t)
			f.write(t, test.file, test.text)
			if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Resolve() = %v, want %q", err, test.want)
			}
			f.nothingHalf(t)
		})
	}
}

func TestComponentsOfAConfiguration(t *testing.T) {
	files := fstest.MapFS{
		"config/alloy/config.alloy": {Data: []byte(`
// otelcol.in.comment "x" {
otelcol.receiver.otlp "apps" {
	output { traces = [otelcol.processor.batch.lab.input] }
}
declare "copy" {
	otelcol.exporter.otlphttp "backend"   {
	}
}
import.file "inspector" {
	filename = "x"
}
inspector.copy "lab" {
}
prometheus.exporter.self  {
}
logging {
}
`)},
		"config/alloy/copy/off.alloy": {Data: []byte("local.file \"a\" {}\n")},
		"config/alloy/README.md":      {Data: []byte("not.alloy \"a\" {}\n")},
	}
	l := &lean{list: "all.go", more: []string{"local.file", "z.last"}}
	got, err := l.components(files)
	want := []string{"local.file", "otelcol.exporter.otlphttp", "otelcol.receiver.otlp", "prometheus.exporter.self", "z.last"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("components() = %q, %v; want %q", got, err, want)
	}
}
