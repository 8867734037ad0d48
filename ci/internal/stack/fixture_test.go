package stack

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// fixturePackages is how many packages a fixture has that no cache has yet.
const fixturePackages = 12

// fixture is a checkout with one program, called loki, in ci/stack: a chain of
// tiny packages that takes about a second to compile.
type fixture struct {
	root, cache string
	archives    string
	mode        Mode
	lock        images.Lock
	specs       []spec
	progress    func(Event)
	full        bool
	files       fs.FS
	probe       time.Duration
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		root: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache"), mode: Source, probe: 5 * time.Second,
		specs: []spec{{
			name: "loki", module: "example.com/upstream", versionVar: "example.com/upstream.Version",
			inImage: []string{"/usr/bin/loki"},
		}},
	}
	f.lock = lockOf(t, nil)
	f.write(t, "go.mod", "module fixture\n\ngo 1.26.0\n\nrequire example.com/upstream v1.2.3\n\nreplace example.com/upstream => ./upstream\n")
	f.write(t, "upstream/go.mod", "module example.com/upstream\n\ngo 1.26.0\n")
	// The root is in every package, so that no earlier test has compiled it.
	f.write(t, "upstream/version.go", fmt.Sprintf("package upstream\n\nvar Version string\n\nconst Root = %q\n", f.root))
	f.write(t, "main.go", "package main\n\nimport (\n\t\"example.com/upstream\"\n\t\"fixture/p1\"\n)\n\n"+
		"func main() { print(\"loki, version \", upstream.Version, \" (\", p1.Name(), \")\\n\") }\n")
	for i := 1; i <= fixturePackages-2; i++ {
		body := fmt.Sprintf("package p%d\n\nfunc Name() string { return %q }\n", i, "fixture")
		if i < fixturePackages-2 {
			body = fmt.Sprintf("package p%d\n\nimport \"fixture/p%d\"\n\nfunc Name() string { return p%d.Name() }\n", i, i+1, i+1)
		}
		body += fmt.Sprintf("\nconst Root = %q\n", f.root)
		f.write(t, fmt.Sprintf("p%d/p.go", i), body)
	}
	return f
}

// write puts a file below ci/stack/loki.
func (f *fixture) write(t *testing.T, file, content string) {
	t.Helper()
	file = filepath.Join(f.root, "ci", "stack", "loki", filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) stack(t *testing.T) *Stack {
	t.Helper()
	s, err := newStack(Config{
		Root: f.root, Cache: f.cache, Mode: f.mode, Images: f.lock, Archives: f.archives, Progress: f.progress, Full: f.full, Files: f.files, ProbeTimeout: f.probe,
	}, f.specs)
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	s.client.FirstPause = time.Millisecond
	s.goos = "linux" // images are for no other system
	s.freeBytes = func(string) (uint64, error) { return 1 << 40, nil }
	s.goos = "linux"
	return s
}

func (f *fixture) resolve(t *testing.T) (Set, error) {
	t.Helper()
	return f.stack(t).Resolve(t.Context())
}

// nothingHalf fails if there is anything in the cache but whole programs, logs,
// locks and whole layers.
func (f *fixture) nothingHalf(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"tmp/*", "blobs/*.partial"} {
		if left, _ := filepath.Glob(filepath.Join(f.cache, filepath.FromSlash(pattern))); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	for _, dir := range f.programs() {
		if _, err := os.Stat(filepath.Join(dir, descriptor)); err != nil {
			t.Errorf("half a program: %v", err)
		}
	}
}

// programs lists the directories of finished programs.
func (f *fixture) programs() []string {
	source, _ := filepath.Glob(filepath.Join(f.cache, "source", "*"))
	unpacked, _ := filepath.Glob(filepath.Join(f.cache, "images", "*"))
	return append(source, unpacked...)
}

// run executes a program and returns what it prints.
func run(t *testing.T, p Program, args ...string) string {
	t.Helper()
	file, prefix := p.Command()
	out, err := exec.CommandContext(t.Context(), file, append(prefix, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", file, prefix, err, out)
	}
	return string(out)
}

// lockOf is a lock with the given references and made-up ones for the rest.
func lockOf(t *testing.T, refs map[string]string) images.Lock {
	t.Helper()
	var entries []string
	for _, name := range images.Names() {
		ref, ok := refs[name]
		if !ok {
			ref = "127.0.0.1:1/" + name + ":9.9.9@sha256:" + strings.Repeat("0", 64)
		}
		entries = append(entries, fmt.Sprintf("%q: %q", name, ref))
	}
	file := `{"images": {` + strings.Join(entries, ", ") + `}}`
	lock, err := images.LoadFS(fstest.MapFS{"images.json": {Data: []byte(file)}}, "images.json")
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// fakeProgram puts a program called name on PATH that prints output.
func fakeProgram(t *testing.T, name, output string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the fake programs are shell scripts")
	}
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = --version ] || exit 2\ncat <<'END'\n" + output + "\nEND\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return filepath.Join(dir, name)
}

// events records events and checks what Event promises about each.
type events struct {
	t   *testing.T
	mu  sync.Mutex
	all []Event
}

func (r *events) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Total > 0 && e.Done > e.Total || e.Done < 0 {
		r.t.Errorf("%s: done %d of %d", e.Phase, e.Done, e.Total)
	}
	if e.Phase == PhaseDone && e.Done != e.Total {
		r.t.Errorf("ends at %d of %d", e.Done, e.Total)
	}
	if n := len(r.all); n > 0 && r.all[n-1].Phase == e.Phase && r.all[n-1].Program == e.Program && r.all[n-1].Done > e.Done {
		r.t.Errorf("%s goes back from %d to %d", e.Phase, r.all[n-1].Done, e.Done)
	}
	r.all = append(r.all, e)
}

// last returns the last event of a phase.
func (r *events) last(p Phase) (Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range slices.Backward(r.all) {
		if v.Phase == p {
			return v, true
		}
	}
	return Event{}, false
}

// cancelWhen returns a context, and a progress function that cancels it at the
// first event that ripe accepts.
func cancelWhen(t *testing.T, ripe func(Event) bool) (context.Context, func(Event)) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, func(e Event) {
		if ripe(e) {
			cancel()
		}
	}
}
