package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// Old is a program in the cache that this checkout has no use for any more: of a pin
// or an image that was replaced, or compiled by another Go.
type Old struct {
	// Dir is its directory, or a file that a download left. Bytes is its size.
	Dir   string
	Bytes int64
	// Users are the processes that run out of it, as "loki (process 4242)".
	Users []string

	program string
}

// Old lists the programs in the cache that [Stack.Resolve] takes in no mode. Other
// checkouts, with other pins, may need them.
func (s *Stack) Old(ctx context.Context) ([]Old, error) {
	var all []Old
	for _, sp := range s.specs {
		current, err := s.current(ctx, sp)
		if err != nil {
			return nil, err
		}
		for _, kind := range []string{"source", "images"} {
			dirs, err := filepath.Glob(filepath.Join(s.cfg.Cache, kind, sp.name+"-*"))
			if err != nil {
				return nil, err
			}
			for _, dir := range dirs {
				if slices.ContainsFunc(current, func(prefix string) bool { return strings.HasPrefix(dir, prefix) }) {
					continue
				}
				bytes, err := sizeOf(dir)
				if err != nil {
					return nil, err
				}
				all = append(all, Old{Dir: dir, Bytes: bytes, program: sp.name})
			}
		}
	}
	return all, inUse(ctx, all)
}

// current is how the directories begin that the pins of sp lead to: the one of its
// source, and those of its image, for any processor.
func (s *Stack) current(ctx context.Context, sp spec) ([]string, error) {
	var dirs []string
	recipes, err := s.recipes(sp)
	if err != nil {
		return nil, err
	}
	for _, r := range recipes {
		if r.pin.Dir == "" {
			dirs = append(dirs, filepath.Join(s.cfg.Cache, "source", sp.name+"-"+r.pin.Release+"-"))
			continue
		}
		tc, err := goToolchain(ctx, r.pin)
		if err != nil {
			return nil, err // only Go can tell which of them is current
		}
		dir, err := s.sourceDir(r, tc)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	img, err := s.cfg.Images.Get(sp.name)
	if err == nil {
		dirs = append(dirs, strings.TrimSuffix(s.imageDir(img), s.goarch))
	} else if !errors.Is(err, images.ErrUnknown) {
		return nil, err
	}
	return dirs, nil
}

// Prune deletes the programs that [Stack.Old] lists and that no process runs. It also
// deletes the files of downloads and compiles that were killed. It waits for a process
// that is fetching or compiling the program, and returns what it deleted and kept.
func (s *Stack) Prune(ctx context.Context) (deleted, kept []Old, err error) {
	old, err := s.Old(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range old {
		if len(o.Users) > 0 {
			kept = append(kept, o)
			continue
		}
		if err := s.delete(ctx, o); err != nil {
			return deleted, kept, fmt.Errorf("deleting %s: %w", o.Dir, err)
		}
		deleted = append(deleted, o)
	}
	gone, inUse, err := s.pruneLeftovers()
	return append(deleted, gone...), append(kept, inUse...), err
}

func (s *Stack) delete(ctx context.Context, o Old) error {
	unlock, err := s.lock(ctx, o.program, func() { s.report(Event{Program: o.program, Phase: PhaseWaiting}) })
	if err != nil {
		return err
	}
	defer unlock()
	// The descriptor goes first: a directory without it is not taken for a program, so
	// an interruption here leaves no half of one.
	if err := os.Remove(filepath.Join(o.Dir, descriptor)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(o.Dir)
}

// inUse notes the processes that run out of the directories. It reads whole command
// lines, because a program out of an image runs as an argument of that image's loader.
func inUse(ctx context.Context, all []Old) error {
	if len(all) == 0 {
		return nil
	}
	processes, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return fmt.Errorf("looking for programs that run out of the cache: %w", err)
	}
	for _, p := range processes {
		// A process may have ended, or belong to another user.
		words, _ := p.CmdlineSliceWithContext(ctx)
		if exe, err := p.ExeWithContext(ctx); err == nil {
			words = append(words, exe)
		}
		for i, o := range all {
			if slices.ContainsFunc(words, func(word string) bool { return mentions(word, o.Dir) }) {
				all[i].Users = append(o.Users, fmt.Sprintf("%s (process %d)", o.program, p.Pid))
			}
		}
	}
	return nil
}

// mentions tells whether a word of a command line has a file below dir in it.
func mentions(word, dir string) bool {
	if strings.Contains(word, dir+string(filepath.Separator)) {
		return true
	}
	real, err := filepath.EvalSymlinks(dir) // as the system names a running program
	return err == nil && strings.Contains(word, real+string(filepath.Separator))
}

// sizeOf is how many bytes the files below dir have.
func sizeOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
