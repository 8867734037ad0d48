package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errBusyReaders: a checkpoint could not finish because somebody still reads
// from the log.
var errBusyReaders = errors.New("the write-ahead log is in use")

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
