package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A recipe is one way to compile a program: all of upstream's, or lean.
type recipe struct {
	spec spec
	pin  Pin
	// lean says what is left out; nil for all of upstream's.
	lean *lean
	// components are those that the configuration needs of a lean program.
	components []string
}

// makes reports whether p does as well as a program that r makes.
func (r recipe) makes(p Program) bool {
	lacks := func(component string) bool { return !slices.Contains(p.Components, component) }
	return !p.Lean || r.lean != nil && !slices.ContainsFunc(r.components, lacks)
}

// recipes returns the ways to compile sp, the one with the most in it first. There are
// none for a program without a pin.
func (s *Stack) recipes(sp spec) ([]recipe, error) {
	pin, ok := s.pins[sp.name]
	if !ok {
		return nil, nil
	}
	all := []recipe{{spec: sp, pin: pin}}
	if sp.lean != nil {
		components, err := sp.lean.components(s.cfg.Files)
		if err != nil {
			return nil, err
		}
		all = append(all, recipe{spec: sp, pin: pin, lean: sp.lean, components: components})
	}
	return all, nil
}

// wanted are the recipes whose result is taken: not the lean ones if the configuration
// asks for all of upstream's.
func (s *Stack) wanted(sp spec) ([]recipe, error) {
	all, err := s.recipes(sp)
	if s.cfg.Full {
		all = slices.DeleteFunc(all, func(r recipe) bool { return r.lean != nil })
	}
	return all, err
}

// flags are given to every compile and to the listing that counts its packages; the two
// must agree, or the count is about another build.
func (r recipe) flags() []string {
	flags := []string{
		"-mod=readonly", // go.sum decides, nothing is resolved anew
		"-trimpath",     // the same bytes wherever the checkout is
		"-buildvcs=false",
		"-ldflags=-s -w -X " + r.spec.versionVar + "=" + r.pin.Release,
	}
	if r.lean != nil && len(r.lean.tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(r.lean.tags, ","))
	}
	return flags
}

// quicker are flags that spare the compiler work and change nothing in the program. The
// linker throws away (-w) what the compiler writes for debuggers: without it, a compile
// takes 7 % less. They are no part of the key, so that programs compiled without them
// count.
var quicker = []string{"-gcflags=all=-dwarf=false"}

// key is a hash of everything that decides the result of a compile: the module files,
// our own Go files, the flags, the toolchain, the platform, and what is left out.
func (r recipe) key(tc toolchain) (string, error) {
	h := sha256.New()
	// The two directories differ from machine to machine and decide nothing.
	tc.GOCACHE, tc.GOMODCACHE = "", ""
	// gotool writes "no experiment" as a comma. Caches have programs whose key was
	// made with the empty string for it.
	tc.GOEXPERIMENT = strings.Trim(tc.GOEXPERIMENT, ",")
	fmt.Fprintf(h, "%q %q %s/%s %+v\n", r.pin.Package, r.flags(), runtime.GOOS, runtime.GOARCH, tc)
	files, err := filepath.Glob(filepath.Join(r.pin.Dir, "*.go"))
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	files = append(files, filepath.Join(r.pin.Dir, "go.mod"), filepath.Join(r.pin.Dir, "go.sum"))
	if r.lean != nil {
		fmt.Fprintf(h, "lean %q %q %q\n", r.components, r.lean.list, r.lean.edits)
		ours, err := r.replacements()
		if err != nil {
			return "", err
		}
		for _, file := range ours {
			files = append(files, filepath.Join(r.pin.Dir, replacements, filepath.FromSlash(file)))
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a module without dependencies has no go.sum
		}
		if err != nil {
			return "", err
		}
		rel, err := filepath.Rel(r.pin.Dir, file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %x\n", filepath.ToSlash(rel), sha256.Sum256(data))
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// replacements lists the files of ours that take the place of upstream's, by their paths
// below the module's root.
func (r recipe) replacements() (files []string, err error) {
	err = fs.WalkDir(os.DirFS(filepath.Join(r.pin.Dir, replacements)), ".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, file)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}
