package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// List returns up to limit users after the cursor, in the order of their ids. A limit
// outside 1..[MaxLimit] becomes the nearest bound.
func (s *Store) List(ctx context.Context, limit int, after users.Cursor) (users.Page, error) {
	limit = max(1, min(limit, MaxLimit))
	if err := s.injectFault(ctx); err != nil {
		return users.Page{}, err
	}
	var rows []row
	// One row more than the limit tells whether there is a next page.
	err := s.reader.NewSelect().Model(&rows).
		Column("id", "name", "email", "created_at").
		Where("id > ?", after.After).
		Order("id").
		Limit(int64(limit) + 1).
		Scan(ctx)
	if err != nil {
		return users.Page{}, domainError("listing users", err)
	}
	var page users.Page
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = users.Cursor{After: rows[limit-1].ID}
	}
	page.Users = make([]users.User, len(rows))
	for i, r := range rows {
		page.Users[i] = r.user()
	}
	return page, nil
}

// Get returns one user, or [users.ErrNotFound].
func (s *Store) Get(ctx context.Context, id int64) (users.User, error) {
	if err := s.injectFault(ctx); err != nil {
		return users.User{}, err
	}
	var r row
	err := s.reader.NewSelect().Model(&r).Column("id", "name", "email", "created_at").Where("id = ?", id).Scan(ctx)
	if err != nil {
		return users.User{}, domainError("getting a user", err)
	}
	return r.user(), nil
}

// Create stores a user, which must be valid (see [users.New.Normalize]), and returns
// the user with its id. If the e-mail address is taken, it returns
// [users.ErrEmailTaken].
func (s *Store) Create(ctx context.Context, n users.New) (users.User, error) {
	if err := s.injectFault(ctx); err != nil {
		return users.User{}, err
	}
	r := row{
		Name:      n.Name,
		Email:     n.Email,
		EmailKey:  users.EmailKey(n.Email),
		CreatedAt: s.cfg.Now().UTC().Truncate(time.Second),
	}
	if _, err := s.writer.NewInsert().Model(&r).Exec(ctx); err != nil {
		return users.User{}, domainError("creating a user", err)
	}
	s.count.Add(1)
	return r.user(), nil
}

// Delete removes a user, or returns [users.ErrNotFound] if there is none.
//
// It removes the data from the disk as well. SQLite's secure_delete overwrites most of
// it at once; the scrubber removes the rest after ScrubDelay, or when the store is
// closed.
func (s *Store) Delete(ctx context.Context, id int64) error {
	if err := s.injectFault(ctx); err != nil {
		return err
	}
	result, err := s.writer.NewDelete().Model((*row)(nil)).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return domainError("deleting a user", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return domainError("deleting a user", err)
	}
	if n == 0 {
		return users.ErrNotFound
	}
	s.count.Add(-n)
	s.requestScrub()
	return nil
}

// Stats returns a summary of the users.
func (s *Store) Stats(ctx context.Context) (users.Stats, error) {
	if err := s.injectFault(ctx); err != nil {
		return users.Stats{}, err
	}
	var stats users.Stats
	since := s.cfg.Now().UTC().Add(-24 * time.Hour).Truncate(time.Second)
	err := s.reader.NewSelect().Model((*row)(nil)).
		ColumnExpr("COUNT(*)").
		ColumnExpr("(SELECT COUNT(*) FROM users WHERE created_at >= ?)", since).
		Scan(ctx, &stats.Users, &stats.CreatedLast24h)
	if err != nil {
		return users.Stats{}, domainError("counting users", err)
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
		switch code := e.Code(); {
		case code == codeUnique, code == codePrimaryKey:
			// SQLite's message adds nothing to the domain's error.
			return users.ErrEmailTaken
		case isBusy(err):
			return fmt.Errorf("%s: %w: %w", doing, users.ErrBusy, err)
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
