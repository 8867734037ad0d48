package sqlite

import (
	"context"
	"embed"

	"github.com/uptrace/bun"

	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

//go:embed migrations/*.sql sample/*.sql
var migrationFiles embed.FS

// migrateUp applies the migrations that are not applied yet. Only one process uses the
// database.
func migrateUp(ctx context.Context, db *bun.DB, sample bool) error {
	return usersql.Migrate(ctx, db, migrationFiles, sample)
}
