package stack

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// keep keeps the files in tmp/rootfs that the program of sp needs: one file if the
// program is linked statically, all of them if it needs libraries or a home directory.
// keep describes the result, with paths relative to tmp.
func keep(tmp string, sp spec) (stored, error) {
	dir := filepath.Join(tmp, "rootfs")
	root, err := os.OpenRoot(dir)
	if err != nil {
		return stored{}, err
	}
	defer root.Close()
	file, err := firstFile(root, sp.inImage)
	if err != nil {
		return stored{}, err
	}
	interpreter, err := interpreterOf(root, file)
	if err != nil {
		return stored{}, fmt.Errorf("%s: %w", file, err)
	}
	if interpreter == "" && sp.homeInImage == "" {
		return stored{Path: sp.name}, keepFile(dir, file, filepath.Join(tmp, sp.name))
	}
	st := stored{Path: inRootfs(file)}
	if sp.homeInImage != "" {
		st.Home = inRootfs(sp.homeInImage)
		if _, err := root.Stat(path.Join(sp.homeInImage, "conf", "defaults.ini")[1:]); err != nil {
			return stored{}, fmt.Errorf("no home directory in the image: %w", err)
		}
	}
	if interpreter == "" {
		return st, nil
	}
	if strings.ContainsAny(tmp, ":;") {
		return stored{}, fmt.Errorf("%s needs libraries, and a library path cannot have a colon in it: %s", sp.name, tmp)
	}
	if _, err := firstFile(root, []string{interpreter}); err != nil {
		return stored{}, fmt.Errorf("ELF interpreter: %w", err)
	}
	st.Loader = inRootfs(interpreter)
	st.LibraryPath, err = libraryPath(root)
	return st, err
}

// inRootfs is the path of an absolute path in the image below the work directory.
func inRootfs(file string) string { return filepath.Join("rootfs", filepath.FromSlash(file)) }

// firstFile returns the first of the absolute paths that is a file in root.
func firstFile(root *os.Root, files []string) (string, error) {
	for _, file := range files {
		if info, err := root.Stat(strings.TrimPrefix(path.Clean(file), "/")); err == nil && info.Mode().IsRegular() {
			return path.Clean(file), nil
		}
	}
	return "", fmt.Errorf("no %s in the image: %w", strings.Join(files, " or "), fs.ErrNotExist)
}

// interpreterOf returns the interpreter that the ELF file names (PT_INTERP), and "" for
// a statically linked one.
func interpreterOf(root *os.Root, file string) (string, error) {
	f, err := root.Open(file[1:])
	if err != nil {
		return "", err
	}
	defer f.Close()
	program, err := elf.NewFile(f)
	if err != nil {
		return "", fmt.Errorf("not an ELF program: %w", err)
	}
	for _, segment := range program.Progs {
		if segment.Type != elf.PT_INTERP {
			continue
		}
		if segment.Filesz > 4096 {
			return "", errors.New("the name of its ELF interpreter is too long")
		}
		name := make([]byte, segment.Filesz)
		if _, err := segment.ReadAt(name, 0); err != nil {
			return "", err
		}
		interpreter := strings.TrimRight(string(name), "\x00")
		if !path.IsAbs(interpreter) {
			return "", fmt.Errorf("its ELF interpreter %q is not an absolute path", interpreter)
		}
		return path.Clean(interpreter), nil
	}
	return "", nil
}

// keepFile moves one file out of the root filesystem and removes the rest.
func keepFile(rootfs, file, to string) error {
	real, err := filepath.EvalSymlinks(filepath.Join(rootfs, filepath.FromSlash(file)))
	if err != nil {
		return err
	}
	if err := os.Rename(real, to); err != nil {
		return err
	}
	if err := os.Chmod(to, 0o755); err != nil {
		return err
	}
	return os.RemoveAll(rootfs)
}

// libraryPath lists the directories in root where a distribution keeps its
// libraries, relative to the work directory.
func libraryPath(root *os.Root) ([]string, error) {
	var dirs []string
	for _, pattern := range []string{
		"usr/local/lib", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "lib64", "usr/lib64", "lib", "usr/lib",
	} {
		found, err := fs.Glob(root.FS(), pattern)
		if err != nil {
			return nil, err
		}
		for _, dir := range found {
			if info, err := root.Stat(dir); err == nil && info.IsDir() {
				dirs = append(dirs, filepath.Join("rootfs", filepath.FromSlash(dir)))
			}
		}
	}
	return dirs, nil
}

// loaderArgs are the arguments of an ELF interpreter that runs p.
func loaderArgs(p Program) []string {
	args := []string{"--library-path", strings.Join(p.LibraryPath, ":"), p.Path}
	if strings.Contains(filepath.Base(p.Loader), "musl") {
		return args
	}
	// glibc would look into this machine's /etc/ld.so.cache for missing libraries.
	return append([]string{"--inhibit-cache"}, args...)
}
