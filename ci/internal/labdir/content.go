package labdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Root opens the folder for changes: no name and no symbolic link in it leads out.
func (f Folder) Root() (*os.Root, error) {
	root, err := os.OpenRoot(f.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the lab's folder: %w", err)
	}
	return root, nil
}

// Write replaces the named file in one step: a reader sees the old one or the new.
func (f Folder) Write(name string, content []byte) error {
	tmp, err := os.CreateTemp(f.Path, "."+name+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(content); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(f.Path, name))
}

// Remove deletes the named files and folders with all that is in them; those that are
// not there are no error. It deletes symbolic links, and not what they lead to.
func (f Folder) Remove(names ...string) error {
	if err := f.isStillMarked(); err != nil {
		return err
	}
	root, err := f.Root()
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range names {
		if err := root.RemoveAll(name); err != nil {
			return fmt.Errorf("deleting from the lab's folder: %w", err)
		}
	}
	return nil
}

// isStillMarked keeps a folder from being emptied that has lost its mark.
func (f Folder) isStillMarked() error {
	_, kind, err := Inspect(f.Path)
	if err == nil && kind != Marked && kind != Copied {
		return refusal(f.Path)
	}
	return err
}

// Size is the number of bytes in the named files and folders.
func (f Folder) Size(names ...string) int64 {
	var n int64
	for _, name := range names {
		_ = filepath.WalkDir(filepath.Join(f.Path, name), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // a file may vanish while a backend compacts
			}
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
			return nil
		})
	}
	return n
}

// kindOfUnmarked tells an empty folder, and one that a lab without marks has made,
// from other people's.
func kindOfUnmarked(path string, entries []os.DirEntry) Kind {
	used, specific := false, filepath.Base(path) == ".lab"
	onlyKnown := true
	for _, e := range entries {
		switch name := e.Name(); {
		case matches(name, "lock") && isEmptyFile(e):
			// Another lab that is about to mark the folder has the lock, too.
			specific = true
			continue
		case matches(name, ".state*-*", "."+MarkName+"-*"): // left by a write that was killed
			continue
		case matches(name, "state.json", "owner", "kind-*.lock", "last-traffic*.json"):
			specific = true
		case matches(name, "images", "cache"):
		case matches(name, "bin", "config", "data", "logs"):
			onlyKnown = onlyKnown && hasConfiguration(path)
		default:
			onlyKnown = false
		}
		used = true
	}
	switch {
	case !used:
		return Empty
	case onlyKnown && specific, hasConfiguration(path) && hasData(path):
		return Unmarked
	}
	return Foreign
}

func matches(name string, patterns ...string) bool {
	for _, p := range patterns {
		if ok, _ := filepath.Match(p, name); ok {
			return true
		}
	}
	return false
}

func isEmptyFile(e os.DirEntry) bool {
	info, err := e.Info()
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// hasConfiguration tells whether the folder has the copies of the configuration that
// only lab makes under these names; a checkout has them in folders of their own.
func hasConfiguration(path string) bool {
	for _, name := range []string{"alloy.alloy", "loki.yaml", "mimir.yaml", "tempo.yaml"} {
		info, err := os.Lstat(filepath.Join(path, "config", name))
		if err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// hasData tells whether each backend has its folder for data.
func hasData(path string) bool {
	for _, name := range []string{"alloy", "backend", "loki", "mimir", "tempo"} {
		if info, err := os.Stat(filepath.Join(path, "data", name)); err != nil || !info.IsDir() {
			return false
		}
	}
	_, err := os.Stat(filepath.Join(path, "lock"))
	return err == nil
}

// prefix is how the names of temporary folders begin.
const prefix = "lgtm-lab-"

// Temporary makes a folder of the lab's for one run, among the system's temporary
// files. The caller deletes it with [Folder.Discard].
func Temporary() (Folder, error) {
	path, err := os.MkdirTemp("", prefix)
	if err != nil {
		return Folder{}, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return Folder{}, err
	}
	f := Folder{Path: path, IsTemporary: true}
	err = f.mark()
	return f, err
}

// Temporaries lists the temporary folders of this user's labs: those of runs that go
// on, and those that killed runs have left.
func Temporaries() []Folder {
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	var all []Folder
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || !isOwn(info) {
			continue
		}
		if f, kind, err := Inspect(path); err == nil && kind == Marked && f.IsTemporary {
			all = append(all, f)
		}
	}
	return all
}

// Keep makes a temporary folder one that stays, for a person to look into.
func (f Folder) Keep() error {
	f.IsTemporary = false
	return f.write()
}

// Discard deletes a temporary folder.
func (f Folder) Discard() error {
	if !f.IsTemporary {
		return errors.New("only a temporary folder is deleted whole")
	}
	if err := f.isStillMarked(); err != nil {
		return err
	}
	return os.RemoveAll(f.Path)
}
