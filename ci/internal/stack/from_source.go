package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
)

// sourceDir is where the program that r compiles is, or will be.
func (s *Stack) sourceDir(r recipe, tc toolchain) (string, error) {
	key, err := r.key(tc)
	if err != nil {
		return "", fmt.Errorf("source pin of %s: %w", r.spec.name, err)
	}
	return filepath.Join(s.cfg.Cache, "source", fmt.Sprintf("%s-%s-%s", r.spec.name, r.pin.Release, key)), nil
}

// compiled returns the program of sp when it has been compiled before, else
// errAbsent. One with all of upstream goes before a lean one.
func (s *Stack) compiled(ctx context.Context, sp spec) (Program, error) {
	recipes, err := s.wanted(sp)
	if err != nil {
		return Program{}, err
	}
	if len(recipes) == 0 {
		return Program{}, errAbsent
	}
	pin := recipes[0].pin
	if pin.Dir == "" {
		return s.anyCompiled(pin, recipes)
	}
	tc, err := goToolchain(ctx, pin)
	if err != nil {
		return Program{}, err
	}
	for _, r := range recipes {
		dir, err := s.sourceDir(r, tc)
		if err != nil {
			return Program{}, err
		}
		if p, err := cached(sp.name, Source, dir); !errors.Is(err, errAbsent) {
			return p, err
		}
	}
	return Program{}, errAbsent
}

// errNoSources says that the checkout is missing that a compile needs.
var errNoSources = errors.New("needs the lab's sources: run `git clone https://github.com/lgtm-lab/lgtm-lab`, change to that folder, " +
	"and run `go run ./ci/lab stack build` there once. After that every `lab` of this version finds the program in the cache")

// anyCompiled returns the program of that release that was compiled last. Without a
// checkout there are no module files to compute a key from. For a release they decide
// little more than which Go has compiled it. A lean program is taken if it has every
// component of the configuration, and no other is there.
func (s *Stack) anyCompiled(pin Pin, recipes []recipe) (Program, error) {
	files, err := filepath.Glob(filepath.Join(s.cfg.Cache, "source", pin.Name+"-"+pin.Release+"-*", descriptor))
	if err != nil {
		return Program{}, err
	}
	var newest time.Time
	found, err := Program{}, errAbsent
	for _, file := range files {
		p, cacheErr := cached(pin.Name, Source, filepath.Dir(file))
		info, statErr := os.Stat(file)
		if cacheErr != nil || statErr != nil || p.Version != pin.Release {
			continue
		}
		enough := slices.ContainsFunc(recipes, func(r recipe) bool { return r.makes(p) })
		better := err != nil || found.Lean && !p.Lean || found.Lean == p.Lean && info.ModTime().After(newest)
		if enough && better {
			found, err, newest = p, nil, info.ModTime()
		}
	}
	return found, err
}

// compile builds sp from its module, by the recipe with the least in it that is wanted.
// If an earlier compile of the same pin has done that, compile returns its result.
func (s *Stack) compile(ctx context.Context, sp spec) (Program, error) {
	recipes, err := s.wanted(sp)
	if err != nil {
		return Program{}, err
	}
	if len(recipes) == 0 {
		return Program{}, fmt.Errorf("%s cannot be compiled from a Go module: %w", sp.name, errAbsent)
	}
	return s.compileBy(ctx, recipes[len(recipes)-1])
}

// compileBy is compile by one recipe.
func (s *Stack) compileBy(ctx context.Context, r recipe) (Program, error) {
	sp, pin := r.spec, r.pin
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
	dir, err := s.sourceDir(r, tc)
	if err != nil {
		return Program{}, err
	}
	return s.once(ctx, sp, Source, dir, func(progress *tracker) error {
		b := &build{recipe: r, stack: s, toolchain: tc, dir: dir, progress: progress}
		return b.run(ctx)
	})
}

// build is one compile, under the program's lock.
type build struct {
	recipe
	stack     *Stack
	toolchain toolchain
	more      []string // flags beside those of the recipe
	dir       string   // the finished directory
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
	b.more = quicker
	if b.lean != nil && b.lean.list != "" {
		file, err := b.overlay(ctx)
		if err != nil {
			return fail(fmt.Errorf("leaving out what the lab does not run: %w", err))
		}
		b.more = append(slices.Clone(quicker), "-overlay="+file)
	}
	stale, all, err := countStale(ctx, b.pin, append(b.flags(), b.more...), log, func(n int) { b.progress.set(PhaseModules, int64(n), 0) })
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
	begin := time.Now()
	if err := b.goBuild(ctx, log, tmp, program, stale); err != nil {
		return fail(err)
	}
	made := stored{
		Version: b.pin.Release, Path: program, Lean: b.lean != nil, Components: b.components,
		CompileSeconds: time.Since(begin).Seconds(), CompiledPackages: stale, Packages: all,
	}
	if err := finish(tmp, b.dir, made); err != nil {
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
	args := append([]string{"build", "-v"}, b.flags()...)
	args = append(args, b.more...)
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
