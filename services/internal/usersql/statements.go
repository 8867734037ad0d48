// Package usersql has what the stores of users in SQL databases have in common: the
// statements, and the telemetry of each. It uses Bun, which writes them in the database's
// dialect. The databases differ in their connections, migrations and errors.
package usersql

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// Row is a row of the table users.
type Row struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID        int64     `bun:"id,pk,autoincrement"`
	Name      string    `bun:"name"`
	Email     string    `bun:"email"`
	EmailKey  string    `bun:"email_key"`
	CreatedAt time.Time `bun:"created_at"`
}

// User returns the user in the row.
func (r Row) User() users.User {
	return users.User{ID: r.ID, Name: r.Name, Email: r.Email, CreatedAt: r.CreatedAt.UTC()}
}

// Statements reads and writes the users. Its methods return errors of package users where
// there is a matching one.
type Statements struct {
	// Reader and Writer are the connections to read and to write with.
	Reader, Writer *bun.DB
	// Before is called before each statement, and fails it with its error; see package
	// fault. It may be nil.
	Before func(context.Context) error
	// Error returns the domain's error for an error of the database. doing says what
	// failed.
	Error func(doing string, err error) error
	// Now is the clock.
	Now func() time.Time
}

func (s *Statements) before(ctx context.Context) error {
	if s.Before == nil {
		return nil
	}
	return s.Before(ctx)
}

// List returns up to limit users after the cursor, in the order of their ids. A limit
// outside 1..[users.MaxLimit] becomes the nearest bound.
func (s *Statements) List(ctx context.Context, limit int, after users.Cursor) (users.Page, error) {
	limit = max(1, min(limit, users.MaxLimit))
	if err := s.before(ctx); err != nil {
		return users.Page{}, err
	}
	var rows []Row
	// One row more than the limit tells whether there is a next page.
	err := s.Reader.NewSelect().Model(&rows).
		Column("id", "name", "email", "created_at").
		Where("id > ?", after.After).
		Order("id").
		Limit(int64(limit) + 1).
		Scan(ctx)
	if err != nil {
		return users.Page{}, s.Error("listing users", err)
	}
	var page users.Page
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = users.Cursor{After: rows[limit-1].ID}
	}
	page.Users = make([]users.User, len(rows))
	for i, r := range rows {
		page.Users[i] = r.User()
	}
	return page, nil
}

// Get returns one user, or [users.ErrNotFound].
func (s *Statements) Get(ctx context.Context, id int64) (users.User, error) {
	if err := s.before(ctx); err != nil {
		return users.User{}, err
	}
	var r Row
	err := s.Reader.NewSelect().Model(&r).Column("id", "name", "email", "created_at").Where("id = ?", id).Scan(ctx)
	if err != nil {
		return users.User{}, s.Error("getting a user", err)
	}
	return r.User(), nil
}

// Create stores a user, which must be valid (see [users.New.Normalize]), and returns
// the user with its id. If the e-mail address is taken, it returns
// [users.ErrEmailTaken].
func (s *Statements) Create(ctx context.Context, n users.New) (users.User, error) {
	if err := s.before(ctx); err != nil {
		return users.User{}, err
	}
	r := Row{
		Name:      n.Name,
		Email:     n.Email,
		EmailKey:  users.EmailKey(n.Email),
		CreatedAt: s.Now().UTC().Truncate(time.Second),
	}
	if _, err := s.Writer.NewInsert().Model(&r).Exec(ctx); err != nil {
		return users.User{}, s.Error("creating a user", err)
	}
	return r.User(), nil
}

// Delete removes a user, or returns [users.ErrNotFound] if there is none.
func (s *Statements) Delete(ctx context.Context, id int64) error {
	if err := s.before(ctx); err != nil {
		return err
	}
	result, err := s.Writer.NewDelete().Model((*Row)(nil)).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return s.Error("deleting a user", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return s.Error("deleting a user", err)
	}
	if n == 0 {
		return users.ErrNotFound
	}
	return nil
}

// Stats counts the users. It leaves the size of the database out.
func (s *Statements) Stats(ctx context.Context) (users.Stats, error) {
	if err := s.before(ctx); err != nil {
		return users.Stats{}, err
	}
	var stats users.Stats
	since := s.Now().UTC().Add(-24 * time.Hour).Truncate(time.Second)
	err := s.Reader.NewSelect().Model((*Row)(nil)).
		ColumnExpr("COUNT(*)").
		ColumnExpr("(SELECT COUNT(*) FROM users WHERE created_at >= ?)", since).
		Scan(ctx, &stats.Users, &stats.CreatedLast24h)
	if err != nil {
		return users.Stats{}, s.Error("counting users", err)
	}
	return stats, nil
}
