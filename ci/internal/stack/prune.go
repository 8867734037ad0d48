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
	// Dir is its directory, Bytes what is in it.
	Dir   string
	Bytes int64
	// Users are the processes that run out of it, as "loki (process 4242)".
	Users []string

	program string
}

// Old lists the programs in the cache that [Stack.Resolve] would not take, whatever
// the mode. Other checkouts, with other pins, may have a use for them.
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
	if pin, ok := s.pins[sp.name]; ok {
		tc, err := goToolchain(ctx, pin)
		if err != nil {
			return nil, err // without Go nobody knows which of them is current
		}
		dir, err := s.sourceDir(sp, pin, tc)
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

// Prune deletes what [Stack.Old] lists, but nothing that a process runs out of, and
// what killed downloads and compiles have left. It returns what it has deleted and
// kept, and waits for whoever is fetching or compiling the program.
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
	// First the descriptor, without which nobody takes a directory for a program:
	// what an interruption leaves is not half a one.
	if err := os.Remove(filepath.Join(o.Dir, descriptor)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(o.Dir)
}

// inUse notes who runs out of the directories. A program out of an image runs as an
// argument of that image's own loader, hence the whole command lines.
func inUse(ctx context.Context, all []Old) error {
	if len(all) == 0 {
		return nil
	}
	processes, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return fmt.Errorf("looking for programs that run out of the cache: %w", err)
	}
	for _, p := range processes {
		// A process may end meanwhile, or belong to somebody who shows nothing.
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
	real, err := filepath.EvalSymlinks(dir) // what the system says of a running program
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
