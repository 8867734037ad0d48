package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lgtm-lab/lgtm-lab/services/internal/postgres"
	"github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"
	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

// migrateDatabase copies the users from the SQLite file into the PostgreSQL database,
// which must be empty. It reads them back and compares them before it says so.
func migrateDatabase(ctx context.Context, cfg config, stdout io.Writer) error {
	if cfg.databaseURL == "" {
		return errors.New("DATABASE_URL must name the PostgreSQL database to copy to")
	}
	if sqlite.InUse(ctx, cfg.databasePath) {
		return fmt.Errorf("a backend serves from %s: stop it first, for users that it creates meanwhile would not be copied", cfg.databasePath)
	}
	copied, err := postgres.Import(ctx, cfg.databaseURL, func(f func([]usersql.Row) error) (int64, error) {
		return sqlite.Export(ctx, cfg.databasePath, f)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "copied %d users from %s, and compared each; start the backend with this DATABASE_URL. The file is unchanged\n", copied, cfg.databasePath)
	return err
}
