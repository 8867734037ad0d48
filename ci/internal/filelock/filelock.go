// Package filelock keeps processes of the lab from working on the same thing at
// the same time: a lab's folder, a cluster, a program in the cache, a build's cache.
//
// The operating system holds the lock for the process and takes it back when the
// process ends, however it ends. The mere presence of a lock file therefore means
// nothing. If a lock file is removed while a process holds it, the waiting processes
// lock a new file.
package filelock

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// poll is how often a lock is tried again that another process holds. The systems have
// no wait that a context could end.
const poll = 100 * time.Millisecond

// Acquire takes the lock of the file path against all other processes, and against
// other calls in this one. It makes the file and its folder if they are absent.
//
// If the lock is held already, Acquire calls waiting once, which may be nil, and waits
// until the lock is free or ctx ends. The error names path, and wraps
// the cause of ctx when that ended the wait.
//
// The caller calls release when its work is done; a second call does nothing. The
// file stays: two processes could each hold "the" lock if release removed it.
func Acquire(ctx context.Context, path string, waiting func()) (release func(), err error) {
	lock, err := acquire(ctx, path, waiting)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// Try takes the lock as Acquire does, but does not wait: ok tells whether it was free.
func Try(path string) (release func(), ok bool, err error) {
	lock, err := try(path)
	if lock == nil || err != nil {
		if err != nil {
			err = fmt.Errorf("locking %s: %w", path, err)
		}
		return nil, false, err
	}
	return func() { _ = lock.Unlock() }, true, nil
}

// Waiting is the line that tells a person why nothing happens while Acquire waits.
// what is the thing that is locked, such as "the cluster lgtm-lab".
func Waiting(what string) string {
	return "waiting for another process that is working on " + what
}

func acquire(ctx context.Context, path string, waiting func()) (*flock.Flock, error) {
	told := false
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		lock, err := try(path)
		if lock != nil || err != nil {
			return lock, err
		}
		if !told && waiting != nil {
			waiting()
		}
		told = true
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
	}
}

// try takes the lock if it is free; otherwise it returns neither lock nor error.
func try(path string) (*flock.Flock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(path)
	if ok, err := lock.TryLock(); !ok {
		return nil, err
	}
	if !current(lock) {
		return nil, lock.Unlock()
	}
	return lock, nil
}

// current tells whether the locked file is still the one at its path. If the file was
// removed after it was opened, another process locks a new one.
func current(lock *flock.Flock) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(lock.Path())
	return err == nil && os.SameFile(locked, there)
}
