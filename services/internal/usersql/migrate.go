package usersql

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

// Migrate applies the migrations that are not applied yet: those in the folder migrations
// of files and, with sample, those in the folder sample. It takes no lock: the caller must
// keep others from migrating the database at the same time. Bun's own lock is a row that
// would survive a crash. A migration is marked as applied after it has run, so that an
// interrupted one runs again.
func Migrate(ctx context.Context, db *bun.DB, files fs.FS, sample bool) error {
	dirs := []string{"migrations"}
	if sample {
		dirs = append(dirs, "sample")
	}
	all := migrate.NewMigrations()
	for _, dir := range dirs {
		below, err := fs.Sub(files, dir)
		if err != nil {
			return err
		}
		if err := all.Discover(below); err != nil {
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
