// Package postgres stores the users in a PostgreSQL database, which several backends may
// share. It uses Bun, and pgx by way of database/sql.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

// scope is the instrumentation scope of this package's spans and metrics.
const scope = "github.com/lgtm-lab/lgtm-lab/services/internal/postgres"

// The sizes of the pools. A server takes 100 connections by default, so that six backends
// fit. Faults have their own pool, so that slow queries delay neither other requests nor
// the readiness probe.
const (
	connections      = 10
	faultConnections = 4
)

// Bounds of what a backend waits for.
const (
	connectPatience   = 5 * time.Second  // unless the URL has connect_timeout
	statementPatience = 10 * time.Second // more than a fault's delay
	lockPatience      = 5 * time.Second
	probePatience     = 500 * time.Millisecond // less than the probe's own timeout
	startPatience     = 30 * time.Second       // for a server that starts at the same time
	migratePatience   = 5 * time.Minute        // for another backend that migrates
)

// countEvery is how often the users are counted for the metric: other backends create and
// delete users, too.
const countEvery = 10 * time.Second

// Config configures [Open]. URL and Telemetry are required.
type Config struct {
	// URL is the database, such as postgres://user:password@host:5432/name. It may have
	// every parameter of libpq's.
	URL string
	// Telemetry receives a span and a metric for each query of a request.
	Telemetry *telemetry.Telemetry
	// Sample adds sample users to the database. This happens once per database.
	Sample bool
	// Faults switches on the faults that requests ask for; see package fault.
	Faults bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is an open database. Its methods are safe for concurrent use. They return
// errors of package users where there is a matching one, and the driver's otherwise.
type Store struct {
	*usersql.Statements

	cfg      Config
	untraced *bun.DB
	probe    *bun.DB // one connection, for Ping
	faults   *bun.DB // for the queries of faults; nil where they are off
	pools    []*bun.DB
	count    atomic.Int64
	stop     context.CancelFunc
	stopped  sync.WaitGroup
}

//go:embed migrations/*.sql sample/*.sql
var migrationFiles embed.FS

// Open connects to the database, and applies the migrations that are missing. It waits a
// while for a server that does not answer yet. The caller must call [Store.Close].
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	server, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	hook, err := usersql.NewQueryHook(cfg.Telemetry, usersql.Database{
		Scope: scope, System: dbconv.SystemNamePostgreSQL, Namespace: server.Database, Code: code,
		Server: []attribute.KeyValue{semconv.ServerAddress(server.Host), semconv.ServerPort(int(server.Port))},
	})
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("opening database %s at %s: %w", server.Database, server.Host, err), s.Close())
		}
	}()
	if err := migrateUp(ctx, server, cfg.Sample); err != nil {
		return nil, err
	}
	s.untraced = s.open(server, connections)
	s.probe = s.open(server, 1)
	traced := hook.On(s.untraced)
	if cfg.Faults {
		s.faults = hook.On(s.open(server, faultConnections))
	}
	s.Statements = &usersql.Statements{Reader: traced, Writer: traced, Before: s.injectFault, Error: domainError, Now: cfg.Now}
	if err := s.countUsers(ctx); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.stopped.Go(func() { s.keepCount(background) })
	return s, nil
}

// parse reads the URL and adds the bounds that it does not have.
func parse(url string) (*pgx.ConnConfig, error) {
	server, err := pgx.ParseConfig(url) // whose error does not have the password
	if err != nil {
		return nil, err
	}
	if server.ConnectTimeout == 0 {
		server.ConnectTimeout = connectPatience
	}
	// Bun writes the values into the statement, so that each is another: a cache of
	// prepared statements would help none.
	server.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	for name, value := range map[string]string{
		"application_name":                    "backend",
		"statement_timeout":                   milliseconds(statementPatience),
		"lock_timeout":                        milliseconds(lockPatience),
		"idle_in_transaction_session_timeout": milliseconds(statementPatience),
	} {
		if _, set := server.RuntimeParams[name]; !set {
			server.RuntimeParams[name] = value
		}
	}
	server.RuntimeParams["standard_conforming_strings"] = "on" // which Bun's quoting needs
	return server, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// open returns a pool of up to size connections. It connects when the first is needed.
func (s *Store) open(server *pgx.ConnConfig, size int) *bun.DB {
	db := openPool(server, size)
	s.pools = append(s.pools, db)
	return db
}

func openPool(server *pgx.ConnConfig, size int) *bun.DB {
	pool := stdlib.OpenDB(*server)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(30 * time.Minute) // so that backends find a server that was added
	return bun.NewDB(pool, pgdialect.New())
}

// Close waits for running queries, and closes the connections. It may be called twice.
func (s *Store) Close() error {
	if s.stop != nil {
		s.stop()
		s.stopped.Wait()
	}
	var errs []error
	for _, pool := range s.pools {
		errs = append(errs, pool.Close())
	}
	s.pools = nil
	return errors.Join(errs...)
}

// Create stores a user; see [usersql.Statements.Create].
func (s *Store) Create(ctx context.Context, n users.New) (users.User, error) {
	u, err := s.Statements.Create(ctx, n)
	if err == nil {
		s.count.Add(1)
	}
	return u, err
}

// Delete removes a user; see [usersql.Statements.Delete]. The server removes the bytes of
// the row by itself, later: see VACUUM in its manual.
func (s *Store) Delete(ctx context.Context, id int64) error {
	err := s.Statements.Delete(ctx, id)
	if err == nil {
		s.count.Add(-1)
	}
	return err
}

// Stats returns a summary of the users.
func (s *Store) Stats(ctx context.Context) (users.Stats, error) {
	stats, err := s.Statements.Stats(ctx)
	if err != nil {
		return users.Stats{}, err
	}
	if err := s.untraced.NewSelect().ColumnExpr("pg_total_relation_size('users')").Scan(ctx, &stats.DatabaseSize); err != nil {
		return users.Stats{}, domainError("measuring the database", err)
	}
	return stats, nil
}

// Ping returns an error if the users cannot be read. It leaves no telemetry, and has
// its own connection, so that slow queries do not delay it.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	if _, err := s.probe.NewSelect().Model((*usersql.Row)(nil)).Where("id = 0").Exists(ctx); err != nil {
		return fmt.Errorf("reading the database: %w", err)
	}
	return nil
}

// Count returns the number of users as of some seconds ago, without a query.
func (s *Store) Count() int64 { return s.count.Load() }

func (s *Store) countUsers(ctx context.Context) error {
	n, err := s.untraced.NewSelect().Model((*usersql.Row)(nil)).Count(ctx)
	if err == nil {
		s.count.Store(n)
	}
	return err
}

// keepCount counts the users again and again until ctx is done.
func (s *Store) keepCount(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(countEvery):
		}
		if err := s.countUsers(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Telemetry.Logger.LogAttrs(ctx, slog.LevelDebug, "the users cannot be counted", slog.Any("error", err))
		}
	}
}

// injectFault injects the fault that the request asks for, if faults are switched on. The
// slow or failing span in a trace is then a real SQL statement, which holds no lock.
func (s *Store) injectFault(ctx context.Context) error {
	if s.faults == nil {
		return nil
	}
	f, ok := fault.FromContext(ctx)
	if !ok {
		return nil
	}
	query := s.faults.NewSelect().ColumnExpr("pg_sleep(?)", min(f.Delay, fault.MaxDelay).Seconds())
	if f.Error {
		query = s.faults.NewSelect().ColumnExpr("1 / 0")
	}
	if _, err := query.Exec(ctx); err != nil {
		return fmt.Errorf("injecting a fault: %w", err)
	}
	return nil
}
