package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// newBin is the folder that the services are built into. Their programs then take the
// place of those that run: no system lets a running program be written to.
func (l layout) newBin() string { return filepath.Join(l.dir, "bin", "new") }

// services gets the programs of the frontend and the backend: none when the lab is to have
// none, else compiled from the checkout, or from the published module where there is no
// checkout. What changes nothing yields the same bytes, and so restarts nothing.
func (l *Lab) services(ctx context.Context) (map[string]Program, error) {
	if l.cfg.NoServices {
		return nil, nil
	}
	dir := l.layout.newBin() // made by create
	names := []string{target.Backend, target.Frontend}
	var err error
	if l.cfg.Files.Root != "" {
		err = l.buildServices(ctx, dir, names)
	} else {
		err = l.fetchServices(ctx, dir, names)
	}
	if err != nil {
		return nil, err
	}
	programs := map[string]Program{}
	for _, name := range names {
		programs[name] = Program{Path: l.layout.bin(name), built: filepath.Join(dir, name) + exeSuffix}
	}
	return programs, nil
}

// inspector puts a copy of this program among those that were built: the program itself may
// be replaced, or be a temporary file of `go run`.
func (l *Lab) inspector() (Program, error) {
	built := filepath.Join(l.layout.newBin(), target.Inspector) + exeSuffix
	from, err := os.Open(l.cfg.Self)
	if err != nil {
		return Program{}, err
	}
	defer from.Close()
	to, err := os.OpenFile(built, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return Program{}, err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return Program{}, fmt.Errorf("copying this program, which is the inspector, too: %w", err)
	}
	return Program{Path: l.layout.bin(target.Inspector), Args: []string{target.Inspector}, built: built}, nil
}

// serviceFlags are for every compile of the services.
var serviceFlags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

// buildServices compiles the services of the checkout into dir.
func (l *Lab) buildServices(ctx context.Context, dir string, names []string) error {
	args := slices.Concat([]string{"build"}, serviceFlags, []string{"-o", dir + string(filepath.Separator)})
	for _, name := range names {
		args = append(args, "./services/"+name)
	}
	l.cfg.Progress("building the services")
	if out, err := gotool.Output(ctx, l.cfg.Files.Root, args...); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("building the services: %w\n%s", err, out)
	}
	return nil
}

// fetchServices compiles the services of the lab's published module into dir: `go install`
// gets them as it has got this program. The error says what else there is to do.
func (l *Lab) fetchServices(ctx context.Context, dir string, names []string) error {
	const without = "Bring the lab up without them, with --no-services, or from a checkout: git clone https://" + checkout.Module
	version := l.cfg.Version
	if !command.IsPublished(version) {
		return fmt.Errorf("the two sample services are not here, and this lab, of version %s, is no published one whose services could be fetched.\n%s", version, without)
	}
	args := slices.Concat([]string{"install"}, serviceFlags)
	for _, name := range names {
		args = append(args, checkout.Module+"/services/"+name+"@"+version)
	}
	l.cfg.Progress("getting the services, " + version + ", with `go install` (the first time it compiles them, a minute or two)")
	var said strings.Builder
	err := gotool.Command{
		Dir: dir, Env: []string{"GOBIN=" + dir}, Args: args,
		Stderr: func(line string) { fmt.Fprintln(&said, line) },
	}.Run(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("getting the two sample services: %w\n%s%s", err, said.String(), without)
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
