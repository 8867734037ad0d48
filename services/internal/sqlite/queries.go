package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"modernc.org/sqlite"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// Create stores a user; see [usersql.Statements.Create].
func (s *Store) Create(ctx context.Context, n users.New) (users.User, error) {
	u, err := s.Statements.Create(ctx, n)
	if err == nil {
		s.count.Add(1)
	}
	return u, err
}

// Delete removes a user, or returns [users.ErrNotFound] if there is none.
//
// It removes the data from the disk as well. SQLite's secure_delete overwrites most of
// it at once; the scrubber removes the rest after ScrubDelay, or when the store is
// closed.
func (s *Store) Delete(ctx context.Context, id int64) error {
	if err := s.Statements.Delete(ctx, id); err != nil {
		return err
	}
	s.count.Add(-1)
	s.requestScrub()
	return nil
}

// Stats returns a summary of the users.
func (s *Store) Stats(ctx context.Context) (users.Stats, error) {
	stats, err := s.Statements.Stats(ctx)
	if err != nil {
		return users.Stats{}, err
	}
	if stats.DatabaseSize, err = s.size(); err != nil {
		return users.Stats{}, fmt.Errorf("measuring the database: %w", err)
	}
	return stats, nil
}

// The result codes of SQLite (https://www.sqlite.org/rescode.html) that stand for an
// error of the domain. The low byte is the primary code.
const (
	codeBusy       = 5
	codeLocked     = 6
	codeFull       = 13
	codePrimaryKey = 1555
	codeUnique     = 2067
)

// domainError returns the domain's error for err, if there is one. doing says what
// failed.
func domainError(doing string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return users.ErrNotFound
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch found := e.Code(); {
		case found == codeUnique, found == codePrimaryKey:
			// SQLite's message adds nothing to the domain's error.
			return users.ErrEmailTaken
		case isBusy(err):
			return fmt.Errorf("%s: %w: %w", doing, users.ErrBusy, err)
		case isFull(err):
			return fmt.Errorf("%s: %w: %w", doing, users.ErrFull, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isBusy reports whether err means that the database stayed locked for longer than the
// connection waits.
func isBusy(err error) bool {
	if errors.Is(err, errBusyReaders) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == codeBusy || e.Code()&0xff == codeLocked)
}

// isFull reports whether err means that a file could not grow.
func isFull(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == codeFull || errors.Is(err, syscall.ENOSPC)
}

// code returns SQLite's result code of an error, "" if it has none.
func code(err error) string {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return strconv.Itoa(e.Code())
	}
	return ""
}
