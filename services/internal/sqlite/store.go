// Package sqlite stores the users in an SQLite file. It uses Bun, and a driver that
// needs no cgo.
//
// One connection writes and several read, in WAL mode. SQLite allows only one writer at
// a time, and queueing for a connection in Go is fairer than waiting for SQLite's lock.
// Deleted data is removed from the bytes of the file, see [Store.Delete].
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
	"modernc.org/sqlite"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

// scope is the instrumentation scope of this package's spans and metrics.
const scope = "github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"

// The sizes of the pools. A sleeping query occupies its connection. Faults have their
// own pool, so that slow queries delay neither other reads nor the readiness probe.
const (
	readerConnections = 16 // reads take well under a millisecond
	faultConnections  = 16 // a 17th fault waits until one ends
)

// How long a connection waits for a lock on the database.
const (
	writerPatience = 5 * time.Second
	probePatience  = 500 * time.Millisecond // less than the probe's own timeout
)

// Config configures [Open]. Path and Telemetry are required.
type Config struct {
	// Path is the database file. Open creates the file, but not its folder.
	Path string
	// Telemetry receives a span and a metric for each query of a request.
	Telemetry *telemetry.Telemetry
	// Sample adds sample users to the database. This happens once per database.
	Sample bool
	// Faults switches on the faults that requests ask for; see package fault.
	Faults bool
	// ScrubDelay is the time from a deletion to the scrub that removes its data from
	// the disk. Deletions in between share that scrub. 0 means one second.
	ScrubDelay time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is an open database. Its methods are safe for concurrent use. They return
// errors of package users where there is a matching one, and SQLite's errors otherwise.
type Store struct {
	*usersql.Statements

	cfg      Config
	writer   *bun.DB // one connection
	reader   *bun.DB // query_only
	untraced *bun.DB // reader without the telemetry
	probe    *bun.DB // one connection, for Ping
	faults   *bun.DB // for the queries of faults; nil where they are off
	scan     *sql.DB // one connection, for the scrubber
	count    atomic.Int64

	faultPool *bun.DB // faults without the telemetry

	closePatience time.Duration // how long Close scrubs

	deleted chan struct{} // wakes the scrubber
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// row is a row of the table users.
type row = usersql.Row

// Open opens the database, or creates it, and applies the migrations that are missing.
// The caller must call [Store.Close].
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.ScrubDelay == 0 {
		cfg.ScrubDelay = time.Second
	}
	clean := closedCleanly(cfg.Path)
	warnOfDamagedLog(ctx, cfg)
	hook, err := usersql.NewQueryHook(cfg.Telemetry, usersql.Database{
		Scope: scope, System: dbconv.SystemNameSQLite, Namespace: namespace(cfg.Path), Code: code,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, deleted: make(chan struct{}, 1), closePatience: 5 * time.Second}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("opening database %s: %w", cfg.Path, err), s.Close())
		}
	}()
	writer, err := openPool(cfg.Path, 1, writerPatience, "_auto_vacuum=incremental&_journal_mode=WAL&_synchronous=NORMAL&_txlock=immediate&_pragma=secure_delete(on)")
	if err != nil {
		return nil, err
	}
	s.writer = hook.On(writer)
	if err := migrateUp(ctx, writer, cfg.Sample); err != nil {
		return nil, err
	}
	const queryOnly = "_query_only=1"
	if s.untraced, err = openPool(cfg.Path, readerConnections, writerPatience, queryOnly); err != nil {
		return nil, err
	}
	s.reader = hook.On(s.untraced)
	s.Statements = &usersql.Statements{Reader: s.reader, Writer: s.writer, Before: s.injectFault, Error: domainError, Now: cfg.Now}
	if cfg.Faults {
		if s.faultPool, err = openPool(cfg.Path, faultConnections, writerPatience, queryOnly); err != nil {
			return nil, err
		}
		s.faults = hook.On(s.faultPool)
	}
	if s.probe, err = openPool(cfg.Path, 1, probePatience, queryOnly); err != nil {
		return nil, err
	}
	scan, err := openPool(cfg.Path, 1, readerPatience, "")
	if err != nil {
		return nil, err
	}
	s.scan = scan.DB
	mark, err := s.scrubMark(ctx)
	if err != nil {
		return nil, err
	}
	if !clean || mark == scrubPending {
		s.requestScrub()
	}
	n, err := s.untraced.NewSelect().Model((*row)(nil)).Count(ctx)
	if err != nil {
		return nil, err
	}
	s.count.Store(n)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.stopped.Go(func() { s.scrubDeleted(background) })
	return s, nil
}

// openPool returns a pool of up to size connections to the file. Idle connections stay
// open. patience is how long a connection waits for a lock.
func openPool(path string, size int, patience time.Duration, query string) (*bun.DB, error) {
	dsn, err := dataSource(path, fmt.Sprintf("%s&_busy_timeout=%d&_foreign_keys=on&_dqs=0", query, patience.Milliseconds()))
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return bun.NewDB(pool, sqlitedialect.New()), nil
}

// namespace returns the value of db.namespace, which is the file's name without its
// extension.
func namespace(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// Close waits for running queries, scrubs deleted data, and closes the file, which
// removes the write-ahead log. Scrubbing takes 5 s at most; the next Open does the
// rest. Close may be called twice.
func (s *Store) Close() error {
	if s.stop != nil {
		s.stop()
		s.stopped.Wait()
	}
	var errs []error
	for _, pool := range []*bun.DB{s.untraced, s.faultPool, s.probe} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if s.scan != nil {
		if s.scrubRequested() {
			errs = append(errs, s.scrubOnClose())
		}
		errs = append(errs, s.scan.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	s.stop, s.untraced, s.faultPool, s.probe, s.scan, s.writer = nil, nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

// Ping returns an error if the users cannot be read. It leaves no telemetry, and has
// its own connection, so that slow queries do not delay it.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.probe.NewSelect().Model((*row)(nil)).Where("id = 0").Exists(ctx); err != nil {
		return fmt.Errorf("reading the database: %w", err)
	}
	return nil
}

// Count returns the number of users, without a query.
func (s *Store) Count() int64 { return s.count.Load() }

// size returns how much space the database and its write-ahead log take on the disk, in
// bytes.
func (s *Store) size() (int64, error) {
	var total int64
	for _, path := range []string{s.cfg.Path, s.cfg.Path + "-wal"} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}
