package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
)

// The go command takes no changed file of a module in the module cache. So a lean compile
// replaces the module, in the go.mod, with a folder that is not there, and gives the go
// command an overlay: a list that says, for each file of that folder, which file has its
// text. That is upstream's in the module cache, which go.sum has checked, or one of ours.

// virtual is the folder that is not there, next to the pin's go.mod.
const virtual = "_upstream"

// overlay writes the overlay of a lean compile, and returns its file, which is
// overlay/NAME/overlay.json in the cache. It stays there, for linters and editors.
func (b *build) overlay(ctx context.Context) (string, error) {
	upstream, err := moduleDir(ctx, b.pin)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.stack.cfg.Cache, "overlay", b.spec.name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	o := overlay{recipe: b.recipe, upstream: upstream, dir: dir, replace: map[string]string{}}
	for _, step := range []func() error{o.addUpstream, o.addReplacements, o.addEdits, o.addComponents, func() error { return o.addGoMod(ctx) }} {
		if err := step(); err != nil {
			return "", err
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, data, 0o644)
}

// moduleDir is where the module of pin is on this machine. If it is not there, moduleDir
// downloads it.
func moduleDir(ctx context.Context, pin Pin) (string, error) {
	find := []string{"list", "-mod=readonly", "-m", "-f", "{{.Dir}}", pin.Module}
	out, err := gotool.Output(ctx, pin.Dir, find...)
	if dir := strings.TrimSpace(out); err != nil || dir != "" {
		return dir, withOutput(err, out)
	}
	if out, err = gotool.Output(ctx, pin.Dir, "mod", "download", pin.Module); err != nil {
		return "", withOutput(err, out)
	}
	out, err = gotool.Output(ctx, pin.Dir, find...)
	return strings.TrimSpace(out), withOutput(err, out)
}

// withOutput adds to the error of a go command what the command has printed.
func withOutput(err error, out string) error {
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// overlay is an overlay in the making.
type overlay struct {
	recipe
	upstream string            // the module's folder
	dir      string            // where files that are made are put
	replace  map[string]string // from the virtual file to the real one
}

// at is the path, for the go command, of a file below the module's root.
func (o *overlay) at(file string) string {
	return filepath.Join(o.pin.Dir, virtual, filepath.FromSlash(file))
}

// make puts a file with this text into the place of upstream's.
func (o *overlay) make(file string, text []byte) error {
	made := filepath.Join(o.dir, "files", filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(made), 0o755); err != nil {
		return err
	}
	o.replace[o.at(file)] = made
	return os.WriteFile(made, text, 0o644)
}

// addUpstream puts every file of the module in its place, but for tests.
func (o *overlay) addUpstream() error {
	return filepath.WalkDir(o.upstream, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(file, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(o.upstream, file)
		o.replace[o.at(filepath.ToSlash(rel))] = file
		return err
	})
}

// addReplacements puts our files into the places of upstream's. One that has no
// counterpart any more is an error: upstream has moved what it stood for.
func (o *overlay) addReplacements() error {
	files, err := o.replacements()
	for _, file := range files {
		if _, there := o.replace[o.at(file)]; !there {
			return fmt.Errorf("%s/%s replaces a file that %s %s does not have", replacements, file, o.pin.Module, o.pin.Version)
		}
		o.replace[o.at(file)] = filepath.Join(o.pin.Dir, replacements, filepath.FromSlash(file))
	}
	return err
}

// addEdits makes the edited files.
func (o *overlay) addEdits() error {
	texts := map[string]string{}
	for _, e := range o.lean.edits {
		text, edited := texts[e.file]
		if !edited {
			raw, err := os.ReadFile(filepath.Join(o.upstream, filepath.FromSlash(e.file)))
			if err != nil {
				return err
			}
			text = strings.ReplaceAll(string(raw), "\r\n", "\n")
		}
		if n := strings.Count(text, e.old); n != 1 {
			return fmt.Errorf("%s of %s %s has %d times, not once, what the lean program changes there: %q", e.file, o.pin.Module, o.pin.Version, n, e.old)
		}
		texts[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	for file, text := range texts {
		if err := o.make(file, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// addComponents makes the list of components anew, with those that the lab has a use for.
func (o *overlay) addComponents() error {
	list := o.lean.list
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, filepath.Join(o.upstream, filepath.FromSlash(list)), nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	text := bytes.NewBufferString("package " + parsed.Name.Name + "\n\nimport (\n")
	for _, spec := range parsed.Imports {
		pkg, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		names, err := registered(filepath.Join(o.upstream, strings.TrimPrefix(pkg, o.pin.Module)))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(o.components, name) }) {
			fmt.Fprintf(text, "\t_ %q\n", pkg)
		}
	}
	text.WriteString(")\n")
	made, err := format.Source(text.Bytes())
	if err != nil {
		return err
	}
	return o.make(list, made)
}

// addGoMod makes the go.mod that replaces the module with the virtual folder.
func (o *overlay) addGoMod(ctx context.Context) error {
	mod := filepath.Join(o.pin.Dir, "go.mod")
	data, err := os.ReadFile(mod)
	if err != nil {
		return err
	}
	made := filepath.Join(o.dir, "go.mod")
	if err := os.WriteFile(made, data, 0o644); err != nil {
		return err
	}
	o.replace[mod] = made
	out, err := gotool.Output(ctx, o.dir, "mod", "edit", "-replace="+o.pin.Module+"=./"+virtual, made)
	return withOutput(err, out)
}
