// Package smalldisk puts a small file system over a folder, so that a test can fill the disk
// of one program and no other's.
//
// The file system is in memory (tmpfs), and gets what the folder has; the folder's own files
// stay below it, out of sight. [Disk.Remove] puts what is in the file system then in their
// place. It needs Linux, and the right to mount.
package smalldisk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// ErrNotHere says that no file system can be mounted here.
var ErrNotHere = errors.New("no small file system can be mounted here")

// refillEvery is the time between two looks for room that a program has made.
const refillEvery = 200 * time.Millisecond

// Disk is a small file system over a folder.
type Disk struct{ dir string }

// ballast is the file that fills the disk.
func (d *Disk) ballast() string { return filepath.Join(d.dir, ".ballast") }

// Available says why no small file system can be mounted here; nil when one can. It mounts one
// for a moment.
func Available() error {
	dir, err := os.MkdirTemp("", "lgtm-lab-mount-")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	if err := mountTemporary(dir, 1<<20); err != nil {
		return fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	return unmount(dir)
}

// Over mounts a file system over a folder, with the folder's files and room for as many bytes
// more. No program may write to the folder meanwhile. When Over fails, the folder is as it was.
func Over(dir string, room int64) (d *Disk, err error) {
	size, err := sizeOf(dir)
	if err != nil {
		return nil, err
	}
	stage, err := os.MkdirTemp("", "lgtm-lab-disk-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(stage)
	if err := mountTemporary(stage, size+room); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	defer func() { err = errors.Join(err, unmount(stage)) }()
	if err := os.CopyFS(stage, os.DirFS(dir)); err != nil {
		return nil, fmt.Errorf("copying %s: %w", dir, err)
	}
	if err := mountAgain(stage, dir); err != nil {
		return nil, err
	}
	return &Disk{dir}, nil
}

// sizeOf is how much room the files of a folder need in a file system of pages.
func sizeOf(dir string) (bytes int64, err error) {
	const page = 4096
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		bytes += page
		if info.Mode().IsRegular() {
			bytes += (info.Size() + page - 1) / page * page
		}
		return nil
	})
	return bytes, err
}

// KeepFull fills the disk to its last page, and again what a program makes room of, until ctx
// ends. It returns the bytes that it has taken. Any error but that of a full disk ends it.
func (d *Disk) KeepFull(ctx context.Context) (taken int64, err error) {
	for {
		n, err := d.fill()
		taken += n
		if err != nil {
			return taken, err
		}
		if wait.For(ctx, refillEvery) != nil {
			return taken, nil
		}
	}
}

// fill writes to the ballast until there is no room for a page.
func (d *Disk) fill() (taken int64, err error) {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) { // not even room for the file's name
			return 0, nil
		}
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for size := 1 << 20; size >= 4096; {
		n, err := f.Write(make([]byte, size))
		taken += int64(n)
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			return taken, err
		}
	}
	return taken, nil
}

// Free makes the room again that the disk had before it was filled.
func (d *Disk) Free() error {
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Remove takes the file system away, and leaves its files in the folder. No program may use
// the folder meanwhile. When there is no room for the files, they stay where the error says.
func (d *Disk) Remove() error {
	if err := d.Free(); err != nil {
		return err
	}
	stage, err := os.MkdirTemp("", "lgtm-lab-disk-")
	if err != nil {
		return err
	}
	if err := mountAgain(d.dir, stage); err != nil {
		return errors.Join(err, os.Remove(stage))
	}
	if err := unmount(d.dir); err != nil {
		return errors.Join(err, unmount(stage), os.Remove(stage))
	}
	if err := replace(d.dir, os.DirFS(stage)); err != nil {
		return fmt.Errorf("the files of %s are in %s: %w", d.dir, stage, err)
	}
	return errors.Join(unmount(stage), os.Remove(stage))
}

// replace makes the folder one with other files; it is the old one until all are there.
func replace(dir string, files fs.FS) error {
	next, old := dir+".new", dir+".old"
	if err := errors.Join(os.RemoveAll(next), os.RemoveAll(old)); err != nil {
		return err
	}
	if err := os.CopyFS(next, files); err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(next, dir); err != nil {
		return err
	}
	return os.RemoveAll(old)
}
