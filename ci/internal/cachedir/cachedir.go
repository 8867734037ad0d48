// Package cachedir knows the folder in which the lab keeps files that it can get again:
// the stack's programs and downloads.
package cachedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// TagFile marks a folder as a cache, after the Cache Directory Tagging
// Specification (https://bford.info/cachedir). Backup programs leave such folders
// out, and `lab stack prune` deletes nothing but below one.
const TagFile = "CACHEDIR.TAG"

const tag = "Signature: 8a477f597d28d172789f06886806bc55\n" +
	"# lgtm-lab can fetch or compile all files here again. `lab stack prune` tidies up.\n"

// Default is lgtm-lab in the user's cache directory. It need not be there yet.
func Default() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory: %w", err)
	}
	return filepath.Join(dir, "lgtm-lab"), nil
}

// Make makes the folder dir if it is absent, and marks it with [TagFile].
func Make(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, TagFile)
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, []byte(tag), 0o644)
}

// Marked tells whether dir has the mark that [Make] leaves.
func Marked(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, TagFile))
	return err == nil && info.Mode().IsRegular()
}
