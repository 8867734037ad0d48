package sqlite

import (
	"context"
	"fmt"
	"os"

	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

// Export calls f with all rows of the database at path, in the order of their ids and as
// they are at one moment. It returns the last id that the database has given.
func Export(ctx context.Context, path string, f func([]usersql.Row) error) (lastID int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, fmt.Errorf("there is no database to copy: %w", err)
	}
	pool, err := openPool(path, 1, writerPatience, "_query_only=1")
	if err != nil {
		return 0, err
	}
	defer func() { _ = pool.Close() }()
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, lastIDQuery).Scan(&lastID); err != nil {
		return 0, fmt.Errorf("reading %s: %w", path, err)
	}
	return lastID, usersql.Each(ctx, tx, f)
}
