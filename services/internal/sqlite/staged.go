package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// TakeStaged puts the staged backup in the place of the database at path, and returns the
// name of the file that has the replaced database, "" if nothing is staged. The database
// must be closed. A crash in between loses nothing: the next call does the rest.
//
// Ids that the replaced database has given are not given again.
func TakeStaged(ctx context.Context, path string) (replaced string, err error) {
	staged := path + stagedSuffix
	if !Staged(path) {
		return "", nil
	}
	if err := keepIDs(ctx, path, staged); err != nil {
		return "", fmt.Errorf("restoring: %w", err)
	}
	info, err := os.Stat(staged)
	if err != nil {
		return "", fmt.Errorf("restoring: %w", err)
	}
	// After a crash this is the same name, so that a log joins its database.
	replaced = path + ".replaced-" + info.ModTime().UTC().Format("20060102T150405.000Z")
	err = errors.Join(renameIfThere(path, replaced), renameIfThere(path+"-wal", replaced+"-wal"), removeIfThere(path+"-shm"))
	if err == nil {
		err = os.Rename(staged, path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return "", fmt.Errorf("restoring: %w", err)
	}
	return replaced, nil
}

// lastIDQuery asks for the last id that a database has given.
const lastIDQuery = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'users'"

// keepIDs makes the staged database give ids that come after those of the database at
// path. A database that cannot be read has none that are known.
func keepIDs(ctx context.Context, path, staged string) error {
	if _, err := os.Stat(path); err != nil {
		return nil // there is no database
	}
	var given, known int64
	old, err := openPool(path, 1, writerPatience, "")
	if err != nil {
		return err
	}
	err = old.DB.QueryRowContext(ctx, lastIDQuery).Scan(&given)
	_ = old.Close() // which joins the log with its database
	if err != nil {
		return nil //nolint:nilerr // a damaged database is replaced, too
	}
	pool, err := openPool(staged, 1, writerPatience, "")
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	if err := pool.DB.QueryRowContext(ctx, lastIDQuery).Scan(&known); err != nil || known >= given {
		return err
	}
	_, err = pool.DB.ExecContext(ctx, "DELETE FROM sqlite_sequence WHERE name = 'users'; INSERT INTO sqlite_sequence (name, seq) VALUES ('users', ?)", given)
	return err
}

// InUse reports whether another process has the database at path open.
func InUse(ctx context.Context, path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	pool, err := openPool(path, 1, 0, "_pragma=locking_mode(exclusive)")
	if err != nil {
		return false
	}
	defer func() { _ = pool.Close() }()
	_, err = pool.DB.ExecContext(ctx, "BEGIN EXCLUSIVE; ROLLBACK")
	return isBusy(err)
}

func renameIfThere(from, to string) error {
	if err := os.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFolder writes the names in a folder to the disk.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // which cannot do that, and does it by itself
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
