package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// batch is how many pages are read between two pauses, and the most that are changed
// or moved in one transaction, in which no other writer gets a turn: some 2 ms.
const batch = 64

// checkpointEvery is after how many changed pages the scrubber moves the log into the
// file itself. After 1000 SQLite does, with the writer waiting for the disk.
const checkpointEvery = 4 * batch

// clearPages clears what is unused in each page of the database. pause is called
// after each batch, with the time that the batch took.
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
			if err := s.moveLog(ctx); err != nil {
				return err
			}
			inLog = 0
		}
		pause(time.Since(start))
	}
	return nil
}

// rewritePages clears what is unused in the pages with these numbers. It reads them
// again: a writer may have changed them since.
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

// readPage reads one page of the file, as the log has it. A page that is no longer
// there is empty.
func readPage(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, number int) (page []byte, err error) {
	err = db.QueryRowContext(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = ?", number).Scan(&page)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return page, err
}

// shrink gives the file's free pages back to the disk. In a database that was made
// without auto_vacuum they stay, and are used again.
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
		for rows.Next() { // each row is one page's work
			continue
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
}

// incrementalVacuum is the value of the pragma auto_vacuum.
const incrementalVacuum = 2
