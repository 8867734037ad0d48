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
//     a copy of a row that moved, which secure_delete does not see: only VACUUM,
//     which writes every page anew, gets rid of it;
//   - in the write-ahead log, which has pages as they were: a checkpoint that
//     truncates the log cuts them off.
//
// The scrubber does the last two, soon after a deletion.

// errBusyReaders: a checkpoint could not finish because somebody still reads
// from the log.
var errBusyReaders = errors.New("the write-ahead log is in use")

// scrubShare bounds what scrubbing costs, which grows with the database: the
// pause before the next one is at least this many times as long as one took.
const scrubShare = 50

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
		err := s.scrubNow(ctx)
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

// scrubNow writes the database anew, without what was deleted.
func (s *Store) scrubNow(ctx context.Context) error {
	if _, err := s.scrub.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	return s.checkpoint(ctx)
}

// checkpoint moves the whole log into the database file and cuts the log to no
// bytes.
func (s *Store) checkpoint(ctx context.Context) error {
	var busy, frames, moved int
	err := s.scrub.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if busy != 0 {
		return errBusyReaders
	}
	return nil
}

// closedCleanly reports whether the database's last user closed it: that removes
// the log. One that was killed may have left deleted data behind.
func closedCleanly(path string) bool {
	_, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist)
}
