package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// Deleted data survives in three places, and each needs its own remedy:
//
//   - in the freed part of a page: secure_delete overwrites it at once;
//   - in the unused part of another page, where a split or a merge of pages left
//     a copy of a row that moved, which secure_delete does not see: [clearUnused]
//     overwrites it;
//   - in the write-ahead log, which has pages as they were: a checkpoint that
//     truncates the log cuts them off.
//
// The scrubber does the last two, soon after a deletion. It reads each page of the
// file, a few at a time, and holds the writer only while it changes some of them. So
// its memory and the writers' wait do not depend on the size of the database. VACUUM
// would do the same with all pages in memory, and no writer meanwhile.

// errBusyReaders: a checkpoint could not finish because somebody still reads
// from the log.
var errBusyReaders = errors.New("the write-ahead log is in use")

// scrubShare bounds what scrubbing costs, which grows with the database: the
// pause before the next one is at least this many times as long as one took. Within
// one, the scrubber pauses for as long as it works.
const scrubShare = 10

// rest pauses for d, or until ctx is done.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// requestScrub wakes the scrubber; requests that come while one waits are one.
func (s *Store) requestScrub() {
	select {
	case s.deleted <- struct{}{}:
	default:
	}
}

// scrubDeleted runs until ctx is done. ScrubDelay after a deletion it scrubs, and
// tries again for as long as that does not succeed.
func (s *Store) scrubDeleted(ctx context.Context) {
	pause := s.cfg.ScrubDelay
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.deleted:
		}
		select {
		case <-ctx.Done():
			s.requestScrub() // for Close
			return
		case <-time.After(pause):
		}
		start := time.Now()
		err := s.scrubNow(ctx, func(took time.Duration) { rest(ctx, took) })
		took := time.Since(start)
		pause = max(s.cfg.ScrubDelay, scrubShare*took)
		if err != nil {
			pause = max(s.cfg.ScrubDelay, took) // most of which was waiting
			level := slog.LevelWarn
			if isBusy(err) || ctx.Err() != nil {
				level = slog.LevelDebug
			}
			s.cfg.Telemetry.Logger.LogAttrs(ctx, level, "deleted data is still on the disk", slog.Any("error", err))
			s.requestScrub()
		}
	}
}

// scrubPending reports whether there was a deletion since the last scrub.
func (s *Store) scrubPending() bool {
	select {
	case <-s.deleted:
		return true
	default:
		return false
	}
}

// scrubNow removes from the files what was deleted before.
func (s *Store) scrubNow(ctx context.Context, pause func(time.Duration)) error {
	if err := s.clearPages(ctx, pause); err != nil {
		return fmt.Errorf("overwriting deleted data: %w", err)
	}
	if err := s.shrink(ctx); err != nil {
		return fmt.Errorf("giving free pages back: %w", err)
	}
	return s.checkpoint(ctx)
}

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

// readerPatience is how long a checkpoint waits for readers of the log. It holds the
// writer meanwhile, so it is short: the checkpoint is tried again.
const readerPatience = 200 * time.Millisecond

// checkpoint moves the whole log into the database file and cuts the log to no
// bytes. Most of the log is moved while writers go on.
func (s *Store) checkpoint(ctx context.Context) error {
	if err := s.moveLog(ctx); err != nil {
		return err
	}
	conn, err := s.writer.DB.Conn(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, busyTimeout(readerPatience)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	var busy, frames, moved int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	_, resetErr := conn.ExecContext(context.WithoutCancel(ctx), busyTimeout(writerPatience))
	if err := errors.Join(err, resetErr); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if busy != 0 {
		return errBusyReaders
	}
	return nil
}

// moveLog moves what it can of the log into the database file, and waits for nobody.
func (s *Store) moveLog(ctx context.Context) error {
	if _, err := s.scan.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func busyTimeout(d time.Duration) string {
	return fmt.Sprintf("PRAGMA busy_timeout = %d", d.Milliseconds())
}

// closedCleanly reports whether the database's last user closed it: that removes
// the log. One that was killed may have left deleted data behind.
func closedCleanly(path string) bool {
	_, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist)
}
