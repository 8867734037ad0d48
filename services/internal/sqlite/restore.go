package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/uptrace/bun"
)

// Restore replaces a database in two steps. [Stage] checks a backup, and puts it beside
// the database, while a backend may be serving. [TakeStaged] then exchanges the two, while
// the database is closed. A backend takes what is staged when it starts, and looks for it
// while it serves.

// stagedSuffix is added to the database's name for a backup that is to replace it.
// partialSuffix is for one that is not complete yet.
const (
	stagedSuffix  = ".restored"
	partialSuffix = ".restoring"
)

// Staged reports whether a backup waits to replace the database at path.
func Staged(path string) bool {
	_, err := os.Stat(path + stagedSuffix)
	return err == nil
}

// Comparison tells a backup from the database that it is to replace.
type Comparison struct {
	// Known says that the database could be read; the other fields are 0 if not.
	Known bool
	// Back is how many users come back: they were deleted since the backup.
	Back int64
	// Lost is how many users are not in the backup: they were created since.
	Lost int64
}

// Stage reads a backup from r, and stages it for the database at path. It refuses one that
// is damaged ([ErrDamaged]), foreign ([ErrForeign]) or newer ([ErrNewer]), and applies the
// migrations that are missing in an older one. It needs as much room on the disk as the
// backup has bytes.
func Stage(ctx context.Context, path string, r io.Reader) (info BackupInfo, since Comparison, err error) {
	partial := path + partialSuffix
	defer func() {
		if err != nil {
			for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
				_ = os.Remove(partial + suffix)
			}
		}
	}()
	if info, err = receive(partial, r); err != nil {
		return info, since, err
	}
	if err := prepare(ctx, partial); err != nil {
		return info, since, err
	}
	since = compare(ctx, path, partial)
	if err := syncFile(partial); err != nil {
		return info, since, err
	}
	return info, since, os.Rename(partial, path+stagedSuffix)
}

// receive copies the database of a backup into a new file, and checks the backup's
// checksum.
func receive(path string, r io.Reader) (info BackupInfo, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	in := bufio.NewReaderSize(r, 1<<20)
	header, err := in.Peek(fileHeaderSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return info, err
	}
	if len(header) < fileHeaderSize {
		return info, ErrForeign
	}
	size, err := databaseSize(header)
	if err != nil {
		return info, err
	}
	sum := newSum()
	switch n, err := io.CopyN(io.MultiWriter(file, sum), in, size); {
	case errors.Is(err, io.EOF):
		return info, fmt.Errorf("%w: it has %d bytes of %d", ErrDamaged, n, size)
	case err != nil:
		return info, err
	}
	trailer, err := io.ReadAll(io.LimitReader(in, trailerMost+1))
	if err != nil {
		return info, err
	}
	return parseTrailer(trailer, sum)
}

// prepare makes the database of a backup one that a backend can open.
func prepare(ctx context.Context, path string) error {
	pool, err := openPool(path, 1, writerPatience, "_pragma=secure_delete(on)")
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	if err := refuseNewer(ctx, pool); err != nil {
		return err
	}
	if err := checkIntegrity(ctx, pool.DB); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := migrateUp(ctx, pool, false); err != nil {
		return err
	}
	if _, err := pool.DB.ExecContext(ctx, "PRAGMA application_id = 0"); err != nil {
		return err
	}
	return pool.Close()
}

// refuseNewer returns [ErrNewer] for a database with migrations that this version does not
// know.
func refuseNewer(ctx context.Context, db *bun.DB) error {
	known, err := migrationNames()
	if err != nil {
		return err
	}
	var applied []string
	if err := db.NewSelect().ColumnExpr("name").TableExpr("bun_migrations").OrderExpr("name").Scan(ctx, &applied); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for _, name := range applied {
		if !known[name] {
			return fmt.Errorf("%w: it has had the migration %s", ErrNewer, name)
		}
	}
	return nil
}

// migrationNames are the names of all migrations, as Bun notes them in the database.
func migrationNames() (map[string]bool, error) {
	names := map[string]bool{}
	for _, dir := range []string{"migrations", "sample"} {
		files, err := fs.ReadDir(migrationFiles, dir)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			name, _, _ := strings.Cut(file.Name(), "_")
			names[name] = true
		}
	}
	return names, nil
}

// compare compares the users of the database with those of the backup, by their ids.
func compare(ctx context.Context, path, backup string) (since Comparison) {
	if _, err := os.Stat(path); err != nil {
		return since
	}
	pool, err := openPool(path, 1, writerPatience, "")
	if err != nil {
		return since
	}
	defer func() { _ = pool.Close() }()
	if _, err := pool.DB.ExecContext(ctx, "ATTACH ? AS backup", backup); err != nil {
		return since
	}
	const without = "SELECT COUNT(*) FROM %s.users AS u WHERE NOT EXISTS (SELECT 1 FROM %s.users WHERE id = u.id)"
	err1 := pool.DB.QueryRowContext(ctx, fmt.Sprintf(without, "backup", "main")).Scan(&since.Back)
	err2 := pool.DB.QueryRowContext(ctx, fmt.Sprintf(without, "main", "backup")).Scan(&since.Lost)
	if err1 != nil || err2 != nil {
		return Comparison{}
	}
	since.Known = true
	return since
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
