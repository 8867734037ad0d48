// Package sqlite keeps the users in one SQLite file, through Bun over a driver
// without cgo.
//
// One connection writes and several read (WAL): SQLite has one writer anyway,
// and a queue in Go is fairer than busy locks in SQLite. What is deleted is
// removed from the file's bytes, see [Store.Delete].
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
	"modernc.org/sqlite"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// MaxLimit is the largest page that [Store.List] returns.
const MaxLimit = 200

// The sizes of the pools. A sleeping query holds its connection, so faults have
// connections of their own: what is slow on request delays neither other reads nor
// the readiness probe.
const (
	readerConnections = 16 // reads take well under a millisecond
	faultConnections  = 16 // a fault more than that waits for one to end
)

// How long a connection waits for a lock of another process on the database.
const (
	writerPatience = 5 * time.Second
	probePatience  = 500 * time.Millisecond // less than the probe's own timeout
)

// Config is what [Open] needs. Path and Telemetry are required.
type Config struct {
	// Path is the database file. It is created, its folder is not.
	Path string
	// Telemetry receives a span and a metric for every query that a request makes.
	Telemetry *telemetry.Telemetry
	// Sample puts some sample users into the database, once in its life.
	Sample bool
	// Faults grants the faults that requests ask for; see package fault.
	Faults bool
	// ScrubDelay is how long deleted data may stay on the disk, so that many
	// deletions share one scrub; 0 means one second.
	ScrubDelay time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Store is an open database. Its methods are safe for concurrent use. Their
// errors are those of package users where that has one, and SQLite's otherwise.
type Store struct {
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

	deleted chan struct{} // signals the scrubber
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// row is a user as the table has it.
type row struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID        int64     `bun:"id,pk,autoincrement"`
	Name      string    `bun:"name"`
	Email     string    `bun:"email"`
	EmailKey  string    `bun:"email_key"`
	CreatedAt time.Time `bun:"created_at"`
}

func (r row) user() users.User {
	return users.User{ID: r.ID, Name: r.Name, Email: r.Email, CreatedAt: r.CreatedAt.UTC()}
}

// Open opens the database, creates it if need be, and brings its schema up to
// date. The caller must call [Store.Close].
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.ScrubDelay == 0 {
		cfg.ScrubDelay = time.Second
	}
	clean := closedCleanly(cfg.Path)
	hook, err := newQueryHook(cfg.Telemetry, namespace(cfg.Path))
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
	s.writer = writer.WithQueryHook(hook)
	if err := migrateUp(ctx, writer, cfg.Sample); err != nil {
		return nil, err
	}
	const queryOnly = "_query_only=1"
	if s.untraced, err = openPool(cfg.Path, readerConnections, writerPatience, queryOnly); err != nil {
		return nil, err
	}
	s.reader = s.untraced.WithQueryHook(hook)
	if cfg.Faults {
		if s.faultPool, err = openPool(cfg.Path, faultConnections, writerPatience, queryOnly); err != nil {
			return nil, err
		}
		s.faults = s.faultPool.WithQueryHook(hook)
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

// openPool opens up to size connections to the file, all of them kept. patience is
// how long each waits for a lock.
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

// namespace is db.namespace: the file's base name without its extension.
func namespace(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// Close waits for the queries that run, scrubs what was deleted and closes the
// file, which removes the write-ahead log. It scrubs for 5 s at the most; the next
// Open does the rest. It may be called twice.
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

// Ping reports whether the users can be read. It makes no telemetry, and waits for no
// other query.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.probe.NewSelect().Model((*row)(nil)).Where("id = 0").Exists(ctx); err != nil {
		return fmt.Errorf("reading the database: %w", err)
	}
	return nil
}

// Count is the number of users, without asking the database.
func (s *Store) Count() int64 { return s.count.Load() }

// size is what the database and its write-ahead log take on the disk, in bytes.
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
