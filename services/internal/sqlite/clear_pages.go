package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// batch is how many pages are read between two pauses. It is also how many pages one
// transaction changes or moves at most; other writers wait for it, some 2 ms.
const batch = 64

// checkpointEvery is after how many changed pages the scrubber does a checkpoint.
// SQLite does one after 1000 pages, in the writer's connection, so that writers wait
// for the disk.
const checkpointEvery = 4 * batch

// clearPages clears the unused parts of all pages of the database.
func (s *Store) clearPages(ctx context.Context, pause func(time.Duration)) error {
	var pages, size int
	if err := s.scan.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &size); err != nil {
		return err
	}
	first, err := readPage(ctx, s.scan, 1)
	if err != nil || len(first) < fileHeaderSize {
		return err
	}
	usable := size - int(first[20])
	inLog := 0 // pages that were changed since the last checkpoint
	for begin := 1; begin <= pages; begin += batch {
		start := time.Now()
		var dirty []int
		for number := begin; number < min(begin+batch, pages+1); number++ {
			page, err := readPage(ctx, s.scan, number)
			if err != nil {
				return err
			}
			if clearUnused(page, number, usable) {
				dirty = append(dirty, number)
			}
		}
		if err := s.rewritePages(ctx, dirty, usable); err != nil {
			return err
		}
		if inLog += len(dirty); inLog >= checkpointEvery {
			if err := s.copyLog(ctx); err != nil {
				return err
			}
			inLog = 0
		}
		pause(time.Since(start))
	}
	return nil
}

// rewritePages clears the unused parts of the pages with these numbers. It reads the
// pages again, because another writer may have changed them.
func (s *Store) rewritePages(ctx context.Context, numbers []int, usable int) error {
	if len(numbers) == 0 {
		return nil
	}
	tx, err := s.writer.DB.BeginTx(ctx, nil) // without the telemetry
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, number := range numbers {
		page, err := readPage(ctx, tx, number)
		if err != nil {
			return err
		}
		if !clearUnused(page, number, usable) {
			continue
		}
		if _, err := tx.ExecContext(ctx, "UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?", page, number); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// readPage reads one page of the database. A page that no longer exists is empty.
func readPage(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, number int) (page []byte, err error) {
	err = db.QueryRowContext(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = ?", number).Scan(&page)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return page, err
}

// shrink returns the free pages to the file system, a batch at a time. A database that
// was created without auto_vacuum keeps its free pages and uses them again.
func (s *Store) shrink(ctx context.Context) error {
	for {
		var mode, free int
		if err := s.scan.QueryRowContext(ctx, "SELECT auto_vacuum, freelist_count FROM pragma_auto_vacuum, pragma_freelist_count").Scan(&mode, &free); err != nil {
			return err
		}
		if mode != incrementalVacuum || free == 0 {
			return nil
		}
		rows, err := s.writer.DB.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", batch))
		if err != nil {
			return err
		}
		for rows.Next() { // SQLite moves one page per row
			continue
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
}

// incrementalVacuum is the value of the pragma auto_vacuum for "incremental".
const incrementalVacuum = 2
