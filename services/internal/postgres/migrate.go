package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

// migrationLock is the advisory lock that a backend holds while it migrates: "LGTM". The
// server takes it back when the connection ends, however that ends.
const migrationLock = 0x4c47544d

// migrateUp applies the migrations that are not applied yet, while other backends that
// start at the same time wait.
func migrateUp(ctx context.Context, server *pgx.ConnConfig, sample bool) error {
	ctx, cancel := context.WithTimeout(ctx, migratePatience)
	defer cancel()
	patient := server.Copy() // a migration may take longer than a request
	patient.RuntimeParams = maps.Clone(server.RuntimeParams)
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		patient.RuntimeParams[name] = "0"
	}
	db := openPool(patient, 2)
	defer func() { _ = db.Close() }()
	if err := await(ctx, db.PingContext); err != nil {
		return err
	}
	holder, err := db.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = holder.Close() }()
	if _, err := holder.ExecContext(ctx, fmt.Sprintf("SELECT pg_advisory_lock(%d)", migrationLock)); err != nil {
		return fmt.Errorf("waiting for another backend that migrates: %w", err)
	}
	err = usersql.Migrate(ctx, db, migrationFiles, sample)
	_, unlockErr := holder.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("SELECT pg_advisory_unlock(%d)", migrationLock))
	return errors.Join(err, unlockErr)
}

// await calls ping until the server answers. An answer that another try does not change,
// such as a wrong password, is an error at once.
func await(ctx context.Context, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := ping(ctx)
		if err == nil {
			return nil
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && !isUnavailable(e) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(250 * time.Millisecond):
		}
	}
}
