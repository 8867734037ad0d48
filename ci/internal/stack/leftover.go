package stack

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry"
)

// pruneLeftovers deletes the files of downloads and compiles that were killed: layers,
// and directories for work in progress. It keeps those that another process is using.
func (s *Stack) pruneLeftovers() (deleted, kept []Old, err error) {
	blobs, inUse, err := registry.StoreIn(s.cfg.Cache).Prune()
	for _, b := range blobs {
		deleted = append(deleted, Old{Dir: b.File, Bytes: b.Bytes})
	}
	for _, b := range inUse {
		kept = append(kept, Old{Dir: b.File, Bytes: b.Bytes, Users: []string{"a download"}})
	}
	for _, sp := range s.specs {
		gone, pruneErr := s.pruneWork(sp.name)
		deleted, err = append(deleted, gone...), errors.Join(err, pruneErr)
	}
	return deleted, kept, err
}

// pruneWork deletes the directories for work in progress on a program, unless a process
// is at that work.
func (s *Stack) pruneWork(name string) (deleted []Old, err error) {
	left, err := s.leftovers(name)
	if err != nil || len(left) == 0 {
		return nil, err
	}
	release, free, err := filelock.Try(s.lockFile(name))
	if err != nil || !free {
		return nil, err
	}
	defer release()
	for _, dir := range left {
		bytes, sizeErr := sizeOf(dir)
		err = errors.Join(err, sizeErr, os.RemoveAll(dir))
		deleted = append(deleted, Old{Dir: dir, Bytes: bytes})
	}
	return deleted, err
}

// leftovers are the directories for work in progress on a program. They belong to the
// process that holds the program's lock. If no process holds it, a killed one left them.
func (s *Stack) leftovers(name string) ([]string, error) {
	left, err := filepath.Glob(filepath.Join(s.cfg.Cache, "tmp", name+"-*"))
	if err != nil {
		return nil, err
	}
	// Where the layers of a program were before the cache had a store for them.
	former := filepath.Join(s.cfg.Cache, "blobs", name)
	if _, err := os.Stat(former); err == nil {
		left = append(left, former)
	}
	return left, nil
}
