package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestCompileOncePerPin(t *testing.T) {
	f := newFixture(t)
	rec := &events{t: t}
	f.progress = rec.add
	// None of these may get through to the compile.
	t.Setenv("GOFLAGS", "-mod=vendor -race -overlay=nowhere.json")
	t.Setenv("GOOS", "plan9")
	t.Setenv("GOWORK", filepath.Join(t.TempDir(), "go.work"))
	set, err := f.resolve(t)
	if err != nil {
		t.Fatalf("Resolve() = %v", err)
	}
	p, ok := set.Program("loki")
	if !ok || p.Source != Source || p.Version != "1.2.3" {
		t.Fatalf("Program(loki) = %+v, %v", p, ok)
	}
	if out := run(t, p); !strings.HasPrefix(out, "loki, version 1.2.3 (") {
		t.Errorf("the program prints %q", out)
	}
	f.nothingHalf(t)
	if e, ok := rec.last(PhaseDone); !ok || e.Total < fixturePackages {
		t.Errorf("done = %+v, want at least the %d packages of the fixture", e, fixturePackages)
	}
	if e, ok := rec.last(PhaseCompile); !ok || e.Done >= e.Total {
		t.Errorf("last compile event = %+v, want one that is not finished", e)
	}
	if e, ok := rec.last(PhaseLink); !ok || e.Done != e.Total {
		t.Errorf("link event = %+v, want all packages done", e)
	}

	f.progress = func(e Event) { t.Errorf("second Resolve works again: %+v", e) }
	again, err := f.resolve(t)
	if err != nil {
		t.Fatalf("second Resolve() = %v", err)
	}
	if q, _ := again.Program("loki"); q.Path != p.Path {
		t.Errorf("second Resolve gives %s, the first gave %s", q.Path, p.Path)
	}
	if want := "stack: source; 1 of 1 were there already"; again.Reason != want {
		t.Errorf("Reason = %q, want %q", again.Reason, want)
	}

	// Another pin is another program, and the old one stays.
	f.progress = nil
	f.write(t, "main.go", "package main\n\nimport _ \"example.com/upstream\"\n\nfunc main() {}\n")
	set, err = f.resolve(t)
	if err != nil {
		t.Fatalf("Resolve() of another pin = %v", err)
	}
	if q, _ := set.Program("loki"); q.Path == p.Path || len(f.programs()) != 2 {
		t.Errorf("another pin gives %s; programs are %v", q.Path, f.programs())
	}
}

func TestCompileCancelledResumes(t *testing.T) {
	f := newFixture(t)
	rec := &events{t: t}
	ctx, cancel := cancelWhen(t, func(e Event) bool { return e.Phase == PhaseCompile && e.Done > 0 })
	f.progress = func(e Event) { rec.add(e); cancel(e) }
	_, err := f.stack(t).Resolve(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Resolve() = %v, want context.Canceled", err)
	}
	f.nothingHalf(t)
	if got := f.programs(); len(got) > 0 {
		t.Errorf("programs after a cancelled compile: %v", got)
	}
	if left := processesNaming(t, f.cache); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
	first, _ := rec.last(PhaseCompile)
	if e, ok := rec.last(PhaseFailed); !ok || !errors.Is(e.Err, context.Canceled) {
		t.Errorf("last event = %+v, want one that tells a display that it is over", e)
	}

	rec = &events{t: t}
	f.progress = rec.add
	set, err := f.resolve(t)
	if err != nil {
		t.Fatalf("Resolve() after a cancelled one = %v", err)
	}
	p, _ := set.Program("loki")
	run(t, p)
	if second, _ := rec.last(PhaseDone); second.Total > first.Total-first.Done {
		t.Errorf("second compile had %d packages to do; the first had done %d of %d", second.Total, first.Done, first.Total)
	}
}

// processesNaming lists the processes with text in their command line.
func processesNaming(t *testing.T, text string) (found []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), text) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func TestCompileFailureNamesTheLog(t *testing.T) {
	f := newFixture(t)
	f.write(t, "p3/p.go", "package p3\n\nfunc Name() string { return missing }\n")
	rec := &events{t: t}
	f.progress = rec.add
	_, err := f.resolve(t)
	log := filepath.Join(f.cache, "logs", "build-loki.log")
	for _, want := range []string{"loki", log, "undefined: missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Resolve() = %v, want %q in it", err, want)
		}
	}
	if content, _ := os.ReadFile(log); !strings.Contains(string(content), "go build") || !strings.Contains(string(content), "undefined: missing") {
		t.Errorf("the log has neither command nor error: %s", content)
	}
	if e, ok := rec.last(PhaseFailed); !ok || e.Err == nil {
		t.Error("no event tells of the failure")
	}
	f.nothingHalf(t)
	if got := f.programs(); len(got) > 0 {
		t.Errorf("programs after a failed compile: %v", got)
	}
	// A package that cannot be loaded fails before there is anything to count.
	f.write(t, "p3/p.go", "package p3\n\nimport \"fixture/nowhere\"\n")
	if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), "fixture/nowhere") || !strings.Contains(err.Error(), log) {
		t.Errorf("Resolve() = %v, want the missing package and the log", err)
	}
	f.nothingHalf(t)
}

func TestCompileTwiceAtOnce(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	recs := []*events{{t: t}, {t: t}}
	paths := make([]string, len(recs))
	for i, rec := range recs {
		g := *f
		g.progress = rec.add
		s := g.stack(t)
		wg.Go(func() {
			set, err := s.Resolve(t.Context())
			if err != nil {
				t.Errorf("Resolve() = %v", err)
			}
			p, _ := set.Program("loki")
			paths[i] = p.Path
		})
	}
	wg.Wait()
	if paths[0] == "" || paths[0] != paths[1] {
		t.Errorf("two at once give %q", paths)
	}
	_, first := recs[0].last(PhaseDone)
	_, second := recs[1].last(PhaseDone)
	if first == second {
		t.Errorf("compiled by the first: %v, by the second: %v; want exactly one", first, second)
	}
	f.nothingHalf(t)
}

// A holder of the lock that was killed leaves its work directory.
func TestCompileSweepsWhatAKilledOneLeft(t *testing.T) {
	f := newFixture(t)
	left := filepath.Join(f.cache, "tmp", "loki-123", "work")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := f.resolve(t); err != nil {
		t.Fatalf("Resolve() = %v", err)
	}
	f.nothingHalf(t)
}

func TestCompileRefusals(t *testing.T) {
	t.Run("disk", func(t *testing.T) {
		f := newFixture(t)
		s := f.stack(t)
		s.freeBytes = func(string) (uint64, error) { return 1 << 30, nil }
		_, err := s.Resolve(t.Context())
		if err == nil || !strings.Contains(err.Error(), "not enough disk space") || !strings.Contains(err.Error(), "1.0 GiB free") {
			t.Errorf("Resolve() = %v, want what is missing and what there is", err)
		}
		f.nothingHalf(t)
	})
	t.Run("no go", func(t *testing.T) {
		f := newFixture(t)
		t.Setenv("PATH", t.TempDir())
		if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), "go command is not on PATH") {
			t.Errorf("Resolve() = %v, want that there is no go command", err)
		}
	})
	t.Run("go too old", func(t *testing.T) {
		f := newFixture(t)
		t.Setenv("GOTOOLCHAIN", "local")
		f.write(t, "go.mod", "module fixture\n\ngo 1.999.0\n\nrequire example.com/upstream v1.2.3\n")
		if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), "requires go >= 1.999.0") {
			t.Errorf("Resolve() = %v, want the version that is needed", err)
		}
	})
}
