package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

// ErrNotEmpty means that a database has users already.
var ErrNotEmpty = errors.New("the database has users already: give an empty one")

// Import copies users into an empty database. source must call its argument with all rows
// in the order of their ids, and return the last id that was given. Import reads all rows
// back before it commits them, and compares them with the source's: the database has all
// users afterwards, or none. Users keep their ids, and new ones get higher ids.
func Import(ctx context.Context, url string, source func(func([]usersql.Row) error) (lastID int64, err error)) (copied int64, err error) {
	server, err := parse(url)
	if err != nil {
		return 0, err
	}
	if err := migrateUp(ctx, server, false); err != nil {
		return 0, err
	}
	server.RuntimeParams["statement_timeout"] = "0"
	server.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	db := openPool(server, 1)
	defer func() { _ = db.Close() }()
	err = db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		copied, err = copyInto(ctx, tx, source)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("copying into the database %s at %s: %w", server.Database, server.Host, err)
	}
	return copied, nil
}

func copyInto(ctx context.Context, tx bun.Tx, source func(func([]usersql.Row) error) (int64, error)) (copied int64, err error) {
	// Nobody else writes meanwhile.
	if _, err := tx.ExecContext(ctx, "LOCK TABLE users IN EXCLUSIVE MODE"); err != nil {
		return 0, err
	}
	if n, err := tx.NewSelect().Model((*usersql.Row)(nil)).Count(ctx); err != nil || n > 0 {
		return 0, errors.Join(err, ErrNotEmpty)
	}
	sent, stored := usersql.NewSum(), usersql.NewSum()
	lastID, err := source(func(rows []usersql.Row) error {
		sent.Add(rows)
		_, err := tx.NewInsert().Model(&rows).Exec(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := usersql.Each(ctx, tx, func(rows []usersql.Row) error { stored.Add(rows); return nil }); err != nil {
		return 0, err
	}
	if sent.Users != stored.Users || sent.String() != stored.String() {
		return 0, fmt.Errorf("the copy differs: %d users with the checksum %s were sent, and %d with %s are stored", sent.Users, sent, stored.Users, stored)
	}
	if lastID > 0 {
		if _, err := tx.NewRaw("SELECT setval(pg_get_serial_sequence('users', 'id'), ?)", lastID).Exec(ctx); err != nil {
			return 0, err
		}
	}
	// The source has had its sample users. Some may have been deleted since.
	_, err = tx.NewRaw("INSERT INTO bun_migrations (name, group_id, migrated_at) SELECT ?, 1, now() WHERE NOT EXISTS (SELECT 1 FROM bun_migrations WHERE name = ?)", sampleMigration, sampleMigration).Exec(ctx)
	return stored.Users, err
}

// sampleMigration is the migration that adds the sample users.
const sampleMigration = "20260101000001"
