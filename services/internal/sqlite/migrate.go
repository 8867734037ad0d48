package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

//go:embed migrations/*.sql sample/*.sql
var migrationFiles embed.FS

// migrateUp applies the migrations that are not applied yet. It takes no lock: only one
// process uses the database, and Bun's lock is a row that would survive a crash. A
// migration is marked as applied after it has run, so that an interrupted one runs
// again.
func migrateUp(ctx context.Context, db *bun.DB, sample bool) error {
	dirs := []string{"migrations"}
	if sample {
		dirs = append(dirs, "sample")
	}
	all := migrate.NewMigrations()
	for _, dir := range dirs {
		files, err := fs.Sub(migrationFiles, dir)
		if err != nil {
			return err
		}
		if err := all.Discover(files); err != nil {
			return fmt.Errorf("reading %s: %w", dir, err)
		}
	}
	m := migrate.NewMigrator(db, all, migrate.WithMarkAppliedOnSuccess(true))
	if err := m.Init(ctx); err != nil {
		return fmt.Errorf("preparing migrations: %w", err)
	}
	if _, err := m.Migrate(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}
