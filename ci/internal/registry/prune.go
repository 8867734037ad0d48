package registry

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
)

// Leftover is a blob in the store, whole or not, that no Fetch has deleted: the one
// that downloaded it was interrupted or killed.
type Leftover struct {
	File  string
	Bytes int64
}

var leftover = regexp.MustCompile(`^(sha256-[0-9a-f]{64})(\.partial|\.lock)?$`)

// Prune deletes the blobs that earlier downloads have left, and returns them. It keeps
// those that another process is downloading or using. Prune deletes nothing in a folder
// that [cachedir.Make] has not marked.
func (s Store) Prune() (deleted, kept []Leftover, err error) {
	if !cachedir.Marked(filepath.Dir(s.dir)) {
		return nil, nil, nil
	}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	blobs := map[string]bool{}
	for _, e := range entries {
		m := leftover.FindStringSubmatch(e.Name())
		if m == nil || blobs[m[1]] {
			continue
		}
		blobs[m[1]] = true
		file := filepath.Join(s.dir, m[1])
		release, free, lockErr := filelock.Try(lockOf(file))
		if lockErr != nil {
			err = errors.Join(err, lockErr)
			continue
		}
		for _, name := range []string{file, partialOf(file)} {
			info, statErr := os.Stat(name)
			if statErr != nil {
				continue
			}
			one := Leftover{File: name, Bytes: info.Size()}
			if !free {
				kept = append(kept, one)
				continue
			}
			err = errors.Join(err, os.Remove(name))
			deleted = append(deleted, one)
		}
		if free {
			_ = os.Remove(lockOf(file)) // while it is held
			release()
		}
	}
	return deleted, kept, err
}
