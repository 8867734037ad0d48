package check

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// maxWatched bounds the files that are looked at.
const maxWatched = 20_000

// Fingerprint is a number that changes when a file of the cases or of their applications
// does: a file in a case's folder or in the folder where its command runs, or the program
// itself. Hidden folders and node_modules do not count.
func Fingerprint(all []cases.Case) uint64 {
	h := fnv.New64a()
	seen := map[string]bool{}
	note := func(path string, info fs.FileInfo) {
		fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano())
	}
	left := maxWatched
	for _, c := range all {
		dirs := []string{c.Dir()}
		if c.Run != nil {
			dirs = append(dirs, filepath.Join(c.Dir(), c.Run.Dir))
			if info, err := os.Stat(filepath.Join(c.Dir(), c.Run.Dir, c.Run.Command[0])); err == nil {
				note(c.Run.Command[0], info)
			}
		}
		for _, dir := range dirs {
			if seen[dir] {
				continue
			}
			seen[dir] = true
			_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				switch {
				case err != nil:
					return nil // it has just been deleted: the next look sees that
				case d.IsDir() && path != dir && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
					return fs.SkipDir
				case d.IsDir():
					return nil
				case left == 0:
					return fs.SkipAll
				}
				left--
				if info, err := d.Info(); err == nil {
					note(path, info)
				}
				return nil
			})
		}
	}
	return h.Sum64()
}

// AwaitChange returns when the fingerprint is another, and has stayed so for a moment: an
// editor or a compiler writes more than one file.
func AwaitChange(ctx context.Context, all []cases.Case, before uint64) error {
	for {
		if err := wait.For(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		now := Fingerprint(all)
		if now == before {
			continue
		}
		for {
			if err := wait.For(ctx, 300*time.Millisecond); err != nil {
				return err
			}
			next := Fingerprint(all)
			if next == now {
				return nil
			}
			now = next
		}
	}
}
