package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
)

// sourceDir is where the compiled program of pin is, or will be.
func (s *Stack) sourceDir(sp spec, pin Pin, tc toolchain) (string, error) {
	key, err := sourceKey(sp, pin, tc)
	if err != nil {
		return "", fmt.Errorf("source pin of %s: %w", sp.name, err)
	}
	return filepath.Join(s.cfg.Cache, "source", fmt.Sprintf("%s-%s-%s", sp.name, pin.Release, key)), nil
}

// compiled returns the program of sp when it has been compiled before, else
// errAbsent.
func (s *Stack) compiled(ctx context.Context, sp spec) (Program, error) {
	pin, ok := s.pins[sp.name]
	if !ok {
		return Program{}, errAbsent
	}
	if pin.Dir == "" {
		return s.anyCompiled(sp, pin)
	}
	tc, err := goToolchain(ctx, pin)
	if err != nil {
		return Program{}, err
	}
	dir, err := s.sourceDir(sp, pin, tc)
	if err != nil {
		return Program{}, err
	}
	return cached(sp.name, Source, dir)
}

// errNoSources says that the checkout is missing that a compile needs.
var errNoSources = errors.New("needs the lab's sources: run `git clone https://github.com/lgtm-lab/lgtm-lab`, change to that folder, " +
	"and run `go run ./ci/lab stack build` there once. After that every `lab` of this version finds the program in the cache")

// anyCompiled returns the program of that release that was compiled last. Without a
// checkout there are no module files to compute a key from. For a release they decide
// little more than which Go has compiled it.
func (s *Stack) anyCompiled(sp spec, pin Pin) (Program, error) {
	files, err := filepath.Glob(filepath.Join(s.cfg.Cache, "source", sp.name+"-"+pin.Release+"-*", descriptor))
	if err != nil {
		return Program{}, err
	}
	var newest time.Time
	found, err := Program{}, errAbsent
	for _, file := range files {
		info, statErr := os.Stat(file)
		if statErr != nil || info.ModTime().Before(newest) {
			continue
		}
		if p, cacheErr := cached(sp.name, Source, filepath.Dir(file)); cacheErr == nil && p.Version == pin.Release {
			found, err, newest = p, nil, info.ModTime()
		}
	}
	return found, err
}

// compile builds sp from its module. If an earlier compile of the same pin has done
// that, compile returns its result.
func (s *Stack) compile(ctx context.Context, sp spec) (Program, error) {
	pin, ok := s.pins[sp.name]
	if !ok {
		return Program{}, fmt.Errorf("%s cannot be compiled from a Go module: %w", sp.name, errAbsent)
	}
	if pin.Dir == "" {
		return Program{}, fmt.Errorf("%s %s is not on this machine, and compiling it %w", sp.name, pin.Release, errNoSources)
	}
	if err := goLoads(ctx, pin); err != nil {
		return Program{}, err
	}
	tc, err := goToolchain(ctx, pin)
	if err != nil {
		return Program{}, err
	}
	dir, err := s.sourceDir(sp, pin, tc)
	if err != nil {
		return Program{}, err
	}
	return s.once(ctx, sp, Source, dir, func(progress *tracker) error {
		b := &build{stack: s, spec: sp, pin: pin, toolchain: tc, dir: dir, progress: progress}
		return b.run(ctx)
	})
}

// build is one compile, under the program's lock.
type build struct {
	stack     *Stack
	spec      spec
	pin       Pin
	toolchain toolchain
	dir       string // the finished directory
	progress  *tracker
}

// run compiles and links, with everything that happens in the log.
func (b *build) run(ctx context.Context) (err error) {
	logFile := filepath.Join(b.stack.cfg.Cache, "logs", "build-"+b.spec.name+".log")
	if err := os.MkdirAll(filepath.Dir(logFile), 0o755); err != nil {
		return err
	}
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	tmp, err := b.stack.workDir(b.spec.name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	fmt.Fprintf(log, "%s %s (%s %s) with %s for %s/%s\n", b.spec.name, b.pin.Release, b.pin.Module, b.pin.Version,
		b.toolchain.GOVERSION, runtime.GOOS, runtime.GOARCH)
	fail := func(err error) error {
		if ctx.Err() != nil {
			return fmt.Errorf("compile %s: %w; run it again to go on where it stopped", b.spec.name, context.Cause(ctx))
		}
		return fmt.Errorf("compile %s: %w; the log is %s, which ends:\n%s", b.spec.name, err, logFile, "  "+strings.Join(tail.File(logFile, 12), "\n  "))
	}
	b.progress.set(PhaseModules, 0, 0)
	if err := b.stack.checkModuleSpace(b.pin, b.toolchain); err != nil {
		return fmt.Errorf("compile %s: %w", b.spec.name, err)
	}
	stale, all, err := countStale(ctx, b.spec, b.pin, log, func(n int) { b.progress.set(PhaseModules, int64(n), 0) })
	if err != nil {
		return fail(err)
	}
	if err := b.stack.checkSpace(stale, b.stack.cfg.Cache, b.toolchain.GOCACHE); err != nil {
		return fmt.Errorf("compile %s: %w", b.spec.name, err)
	}
	fmt.Fprintf(log, "%d of %d packages to compile\n", stale, all)
	program := b.spec.name
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if err := b.goBuild(ctx, log, tmp, program, stale); err != nil {
		return fail(err)
	}
	if err := finish(tmp, b.dir, stored{Version: b.pin.Release, Path: program}); err != nil {
		return fmt.Errorf("compile %s: %w", b.spec.name, err)
	}
	b.progress.set(PhaseDone, int64(stale), int64(stale))
	return nil
}

// goBuild runs go build in the work directory tmp, which then holds nothing but
// the program.
func (b *build) goBuild(ctx context.Context, log io.Writer, tmp, program string, stale int) error {
	// Go's own work directory is in here too. A killed compile leaves it behind, up to
	// a gigabyte, and the next one or prune finds it here.
	work := filepath.Join(tmp, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	args := append([]string{"build", "-v"}, buildFlags(b.spec, b.pin)...)
	args = append(args, "-o", filepath.Join(tmp, program), b.pin.Package)
	fmt.Fprintf(log, "cd %s && go %s\n", b.pin.Dir, strings.Join(args, " "))
	count := newCounter(stale, runtime.GOMAXPROCS(0))
	b.progress.set(count.phase(), 0, int64(stale))
	err := gotool.Command{
		Dir: b.pin.Dir, Env: []string{"GOTMPDIR=" + work}, Args: args,
		Stdout: func(line string) { fmt.Fprintln(log, line) },
		Stderr: func(line string) {
			fmt.Fprintln(log, line)
			if phase, done, ok := count.line(line); ok {
				b.progress.set(phase, done, int64(stale))
			}
		},
	}.Run(ctx)
	if err != nil {
		return err
	}
	return os.RemoveAll(work)
}
