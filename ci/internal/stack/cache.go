package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
)

// descriptor is the file in a finished directory that says how to run the program
// there. Its paths are relative to that directory, so the cache can be moved.
const descriptor = "program.json"

// stored is a [Program] as it is written to its descriptor.
type stored struct {
	Version     string   `json:"version"`
	Path        string   `json:"path"`
	Home        string   `json:"home,omitempty"`
	Loader      string   `json:"loader,omitempty"`
	LibraryPath []string `json:"library_path,omitempty"`
	// CompileSeconds is how long the last compile took, of CompiledPackages packages; the
	// others of Packages were in Go's cache. `lab bench compile` reads them.
	CompileSeconds   float64 `json:"compile_seconds,omitempty"`
	CompiledPackages int     `json:"compiled_packages,omitempty"`
	Packages         int     `json:"packages,omitempty"`
	// Lean and Components are as in Program.
	Lean       bool     `json:"lean,omitempty"`
	Components []string `json:"components,omitempty"`
}

// cached returns the program in the finished directory dir, or errAbsent.
func cached(name string, source Mode, dir string) (Program, error) {
	data, err := os.ReadFile(filepath.Join(dir, descriptor))
	if errors.Is(err, fs.ErrNotExist) {
		return Program{}, errAbsent
	}
	var st stored
	if err == nil {
		err = json.Unmarshal(data, &st)
	}
	if err != nil {
		return Program{}, fmt.Errorf("%s in the cache: %w", name, err)
	}
	p := Program{
		Name: name, Version: st.Version, Source: source,
		Path: filepath.Join(dir, st.Path), Lean: st.Lean, Components: st.Components,
	}
	if st.Home != "" {
		p.Home = filepath.Join(dir, st.Home)
	}
	if st.Loader != "" {
		p.Loader = filepath.Join(dir, st.Loader)
	}
	for _, lib := range st.LibraryPath {
		p.LibraryPath = append(p.LibraryPath, filepath.Join(dir, lib))
	}
	// The user may have deleted files of the cache by hand.
	if _, err := os.Stat(p.Path); err != nil {
		return Program{}, errAbsent
	}
	return p, nil
}

// finish writes the descriptor into the work directory tmp and gives the
// directory its final name in one step.
func finish(tmp, dir string, st stored) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, descriptor), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	// Only a directory that cached refuses can be in the way here.
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// once returns the program in the finished directory dir. If it is not there, once
// calls get to fill dir, under the program's lock, and shows its progress.
func (s *Stack) once(ctx context.Context, sp spec, source Mode, dir string, get func(*tracker) error) (Program, error) {
	if p, err := cached(sp.name, source, dir); !errors.Is(err, errAbsent) {
		return p, err
	}
	progress := s.startProgress(sp.name)
	defer progress.stop()
	unlock, err := s.lock(ctx, sp.name, func() { progress.set(PhaseWaiting, 0, 0) })
	if err != nil {
		return Program{}, err
	}
	defer unlock()
	// The process that held the lock may have made just this.
	if p, err := cached(sp.name, source, dir); !errors.Is(err, errAbsent) {
		return p, err
	}
	if err := get(progress); err != nil {
		return Program{}, err
	}
	return cached(sp.name, source, dir)
}

// lock takes the lock of one program against other processes and goroutines,
// and calls waiting if that is not possible at once. What an earlier holder
// that was killed left of the program in tmp/ is removed.
func (s *Stack) lock(ctx context.Context, name string, waiting func()) (unlock func(), err error) {
	if err := cachedir.Make(s.cfg.Cache); err != nil {
		return nil, err
	}
	unlock, err = filelock.Acquire(ctx, s.lockFile(name), waiting)
	if err != nil {
		return nil, err
	}
	left, err := s.leftovers(name)
	for _, tmp := range left {
		err = errors.Join(err, os.RemoveAll(tmp))
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func (s *Stack) lockFile(name string) string {
	return filepath.Join(s.cfg.Cache, "locks", name+".lock")
}

// workDir makes a directory for work in progress on name; the caller holds the
// lock, and removes it.
func (s *Stack) workDir(name string) (string, error) {
	dir := filepath.Join(s.cfg.Cache, "tmp")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, name+"-*")
}
