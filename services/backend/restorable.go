package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// lookEvery is how often a restorable store looks for a staged backup.
const lookEvery = time.Second

// errClosed is the error of a store whose database could not be opened after a restore. The
// client may try again: so does the backend.
var errClosed = fmt.Errorf("%w: the restored database cannot be opened", users.ErrBusy)

// restorable is an SQLite store whose database can be replaced while it serves: requests
// wait meanwhile, some milliseconds.
type restorable struct {
	cfg  sqlite.Config
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.RWMutex
	store *sqlite.Store // nil if it could not be opened
}

var _ store = (*restorable)(nil)

// openRestorable opens the database, after it has taken a staged backup.
func openRestorable(ctx context.Context, cfg sqlite.Config) (*restorable, error) {
	r := &restorable{cfg: cfg}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.done.Go(func() { r.watch(watching) })
	return r, nil
}

// open takes what is staged and opens the database. The caller must hold mu, unless nobody
// else has r.
func (r *restorable) open(ctx context.Context) error {
	replaced, err := sqlite.TakeStaged(ctx, r.cfg.Path)
	if err != nil {
		return err
	}
	if replaced != "" {
		r.cfg.Telemetry.Logger.InfoContext(ctx, "database restored", slog.String("replaced", replaced))
	}
	store, err := sqlite.Open(ctx, r.cfg)
	if err == nil {
		r.store = store
	}
	return err
}

// watch exchanges the database when a backup is staged, until ctx is done.
func (r *restorable) watch(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if r.store == nil || sqlite.Staged(r.cfg.Path) { // only this goroutine writes it
			if err := r.exchange(ctx); err != nil {
				r.cfg.Telemetry.Logger.ErrorContext(ctx, "the database cannot be restored", slog.Any("error", err))
			}
		}
	}
}

// exchange closes the database and opens the staged one.
func (r *restorable) exchange(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.store != nil {
		if err := r.store.Close(); err != nil {
			r.cfg.Telemetry.Logger.WarnContext(ctx, "closing the replaced database", slog.Any("error", err))
		}
		r.store = nil
	}
	return r.open(ctx)
}

// use calls f with the open store.
func (r *restorable) use(f func(*sqlite.Store) error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.store == nil {
		return errClosed
	}
	return f(r.store)
}

func (r *restorable) List(ctx context.Context, limit int, after users.Cursor) (page users.Page, err error) {
	err = r.use(func(s *sqlite.Store) (err error) { page, err = s.List(ctx, limit, after); return err })
	return page, err
}

func (r *restorable) Get(ctx context.Context, id int64) (user users.User, err error) {
	err = r.use(func(s *sqlite.Store) (err error) { user, err = s.Get(ctx, id); return err })
	return user, err
}

func (r *restorable) Create(ctx context.Context, n users.New) (user users.User, err error) {
	err = r.use(func(s *sqlite.Store) (err error) { user, err = s.Create(ctx, n); return err })
	return user, err
}

func (r *restorable) Delete(ctx context.Context, id int64) error {
	return r.use(func(s *sqlite.Store) error { return s.Delete(ctx, id) })
}

func (r *restorable) Stats(ctx context.Context) (stats users.Stats, err error) {
	err = r.use(func(s *sqlite.Store) (err error) { stats, err = s.Stats(ctx); return err })
	return stats, err
}

// Count is 0 while there is no database.
func (r *restorable) Count() (n int64) {
	_ = r.use(func(s *sqlite.Store) error { n = s.Count(); return nil })
	return n
}

// Ping returns an error if the users cannot be read.
func (r *restorable) Ping(ctx context.Context) error {
	return r.use(func(s *sqlite.Store) error { return s.Ping(ctx) })
}

// Close closes the database; see [sqlite.Store.Close].
func (r *restorable) Close() error {
	r.stop()
	r.done.Wait()
	return r.use((*sqlite.Store).Close)
}
