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
//   - In the freed part of a page. SQLite's secure_delete overwrites it at once.
//   - In an unused part of another page. When pages are split or merged, rows move,
//     and copies of them stay behind. secure_delete does not overwrite these, so
//     [clearUnused] does.
//   - In the write-ahead log, which contains earlier states of pages. A checkpoint that
//     truncates the log removes them.
//
// The scrubber does the last two, soon after a deletion. It reads all pages of the
// file, a few at a time, and blocks other writers only while it changes some of these
// few. So the memory that it needs, and the time for which writers wait, do not grow
// with the database. VACUUM would remove the same data, but holds the whole database in
// memory, and blocks writers for all of that time.

// scrubShare bounds the cost of scrubbing, which grows with the database. The pause
// before the next scrub is at least this many times as long as the last scrub. During a
// scrub, the scrubber rests for as long as it works.
const scrubShare = 10

// rest pauses for d, or until ctx is done.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// requestScrub wakes the scrubber. Requests that arrive before the scrub begins share
// it.
func (s *Store) requestScrub() {
	select {
	case s.deleted <- struct{}{}:
	default:
	}
}

// scrubDeleted runs until ctx is done. It scrubs ScrubDelay after a deletion, and
// repeats a scrub that fails.
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
			pause = max(s.cfg.ScrubDelay, took) // the failed scrub was mostly waiting
			level := slog.LevelWarn
			if isBusy(err) || ctx.Err() != nil {
				level = slog.LevelDebug
			}
			s.cfg.Telemetry.Logger.LogAttrs(ctx, level, "deleted data is still on the disk", slog.Any("error", err))
			s.requestScrub()
		}
	}
}

// scrubRequested reports whether a user was deleted since the last scrub. It takes the
// request.
func (s *Store) scrubRequested() bool {
	select {
	case <-s.deleted:
		return true
	default:
		return false
	}
}

// scrubNow removes the data of earlier deletions from the files. It calls pause after
// each batch of pages, with the time that the batch took.
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

// scrubOnClose scrubs while the database is being closed, for closePatience at the
// most. If it does not finish, it marks the file, so that the next Open scrubs again.
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

// The values of user_version, a field of the file that SQLite leaves to applications.
const (
	scrubbed     = 0
	scrubPending = 1
)

// markScrub records in the file whether a scrub is pending.
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

// closedCleanly reports whether the last process closed the database, which removes the
// log. A process that was killed may have left deleted data in the files.
func closedCleanly(path string) bool {
	_, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist)
}
