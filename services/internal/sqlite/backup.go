package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Backup writes a backup of the database at path to w, and says what is in it. A backend
// may serve from the database meanwhile: Backup is one reader more.
//
// The backup has every change that was committed when Backup began, and none that came
// later. It has nothing of users that were deleted before, although the scrubber may not
// have come to them yet: Backup clears the unused parts of each page that it writes. The
// memory that it needs does not grow with the database, and it needs no file besides. The
// write-ahead log grows meanwhile by what others write.
//
// Backup fails if the database is damaged. What it has written is a backup only if it
// returns no error.
func Backup(ctx context.Context, path string, w io.Writer) (info BackupInfo, err error) {
	if _, err := os.Stat(path); err != nil {
		return info, fmt.Errorf("there is no database to back up: %w", err)
	}
	pool, err := openPool(path, 1, writerPatience, "_query_only=1")
	if err != nil {
		return info, err
	}
	defer func() { _ = pool.Close() }()
	buffered := bufio.NewWriterSize(w, 1<<20)
	if info, err = backup(ctx, pool.DB, buffered); err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return BackupInfo{}, fmt.Errorf("backing up %s: %w", filepath.Base(path), err)
	}
	return info, nil
}

func backup(ctx context.Context, db *sql.DB, w io.Writer) (info BackupInfo, err error) {
	info.CreatedAt = time.Now().UTC().Truncate(time.Millisecond)
	tx, err := db.BeginTx(ctx, nil) // all that follows reads one state of the database
	if err != nil {
		return info, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM users").Scan(&info.Users); err != nil {
		return info, err
	}
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(name), '') FROM bun_migrations").Scan(&info.Schema); err != nil {
		return info, err
	}
	sum := newSum()
	if info.Bytes, err = writePages(ctx, tx, io.MultiWriter(w, sum)); err != nil {
		return info, err
	}
	if err := checkIntegrity(ctx, tx); err != nil {
		return info, err
	}
	return info, writeTrailer(w, sum, info)
}

// writePages writes all pages of the database, and returns how many bytes they are.
func writePages(ctx context.Context, tx *sql.Tx, w io.Writer) (written int64, err error) {
	var pages, size int
	if err := tx.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &size); err != nil {
		return 0, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT pgno, data FROM sqlite_dbpage")
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	usable := size
	var page sql.RawBytes
	for want := 1; rows.Next(); want++ {
		var number int
		if err := rows.Scan(&number, &page); err != nil {
			return written, err
		}
		if number != want || len(page) != size {
			return written, fmt.Errorf("page %d has %d bytes where page %d of %d bytes should be", number, len(page), want, size)
		}
		if number == 1 {
			usable -= int(page[20])
			backupHeader(page, pages)
		}
		clearUnused(page, number, usable)
		if _, err := w.Write(page); err != nil {
			return written, err
		}
		written += int64(size)
	}
	if err := rows.Err(); err != nil {
		return written, err
	}
	if want := int64(pages) * int64(size); written != want {
		return written, fmt.Errorf("read %d bytes of %d", written, want)
	}
	return written, nil
}

// checkIntegrity has SQLite check every page, row and index of a database.
func checkIntegrity(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) error {
	var result string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("the database is damaged: %s", result)
	}
	return nil
}
