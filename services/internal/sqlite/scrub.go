package sqlite

import (
	"context"
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

// scrubRequested reports whether there was a deletion since the last scrub.
func (s *Store) scrubRequested() bool {
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
	if err := s.markScrub(ctx, scrubbed); err != nil {
		return err
	}
	return s.checkpoint(ctx)
}

// scrubOnClose scrubs what is pending when the database is closed, for as long as
// closePatience. What is left then is marked in the file, for the next Open.
func (s *Store) scrubOnClose() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.closePatience)
	defer cancel()
	err := s.scrubNow(ctx, func(time.Duration) {})
	if err == nil {
		return nil
	}
	s.cfg.Telemetry.Logger.Warn("deleted data is on the disk until the next start", slog.Any("error", err))
	return s.markScrub(context.Background(), scrubPending)
}

// The values of SQLite's user_version, which is the application's to use.
const (
	scrubbed     = 0
	scrubPending = 1
)

// markScrub writes into the file whether it has deleted data.
func (s *Store) markScrub(ctx context.Context, mark int) error {
	if found, err := s.scrubMark(ctx); err != nil || found == mark {
		return err
	}
	_, err := s.writer.DB.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", mark))
	return err
}

func (s *Store) scrubMark(ctx context.Context) (mark int, err error) {
	err = s.scan.QueryRowContext(ctx, "PRAGMA user_version").Scan(&mark)
	return mark, err
}

// closedCleanly reports whether the last process closed the database: that removes
// the log. A process that was killed may have left deleted data behind.
func closedCleanly(path string) bool {
	_, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist)
}
