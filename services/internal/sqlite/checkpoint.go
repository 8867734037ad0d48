package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errBusyReaders says that a checkpoint could not finish, because a reader still uses
// the log.
var errBusyReaders = errors.New("the write-ahead log is in use")

// readerPatience is how long a checkpoint waits for readers of the log. Writers wait
// meanwhile, so it is short; a checkpoint that fails is repeated.
const readerPatience = 200 * time.Millisecond

// checkpoint copies the log into the database file and truncates the log to 0 bytes. It
// copies most of it without blocking writers.
func (s *Store) checkpoint(ctx context.Context) error {
	if err := s.copyLog(ctx); err != nil {
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

// copyLog copies as much of the log into the database file as it can without waiting.
func (s *Store) copyLog(ctx context.Context) error {
	if _, err := s.scan.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func busyTimeout(d time.Duration) string {
	return fmt.Sprintf("PRAGMA busy_timeout = %d", d.Milliseconds())
}
