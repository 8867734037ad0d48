package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// newBin is the folder that the services are built into. Their programs then take the
// place of those that run: no system lets a running program be written to.
func (l layout) newBin() string { return filepath.Join(l.dir, "bin", "new") }

// buildServices compiles the frontend and the backend of the checkout. A build
// that changes nothing yields the same bytes, and so restarts nothing.
func (l *Lab) buildServices(ctx context.Context) (map[string]Program, error) {
	dir := l.layout.newBin() // made by create
	programs := map[string]Program{}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", dir + string(filepath.Separator)}
	for _, name := range []string{target.Backend, target.Frontend} {
		args = append(args, "./services/"+name)
	}
	l.cfg.Progress("building the services")
	if out, err := gotool.Output(ctx, l.cfg.Root, args...); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, fmt.Errorf("building the services: %w\n%s", err, out)
	}
	for _, name := range []string{target.Backend, target.Frontend} {
		programs[name] = Program{Path: l.layout.bin(name), built: filepath.Join(dir, name) + exeSuffix}
	}
	return programs, nil
}

// installServices puts the built programs of what is to be started where they run
// from. A running program can be renamed on every system, but not replaced on
// Windows.
func installServices(specs []spec) error {
	for _, s := range specs {
		if s.built == "" {
			continue
		}
		old := s.path + ".old"
		_ = os.Remove(old)
		_ = os.Rename(s.path, old)
		if err := os.Rename(s.built, s.path); err != nil {
			return err
		}
		_ = os.Remove(old)
	}
	return nil
}
