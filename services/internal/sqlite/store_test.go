package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users/storetest"
)

func TestStats(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	l := newHarness(t, Config{Now: func() time.Time { return now }})
	l.create(t, "Old", "old@example.com")
	now = now.Add(24*time.Hour + time.Second)
	l.create(t, "New", "new@example.com")
	stats, err := l.Stats(t.Context())
	if err != nil || stats.Users != 2 || stats.CreatedLast24h != 1 {
		t.Errorf("Stats() = %+v, %v; want 2 users, 1 of them new", stats, err)
	}
	info, err := os.Stat(l.cfg.Path)
	if err != nil || stats.DatabaseSize < info.Size() {
		t.Errorf("DatabaseSize is %d, the file has %v, %v", stats.DatabaseSize, info, err)
	}
}

// Migrations and sample users are applied once; later changes remain.
func TestReopen(t *testing.T) {
	l := newHarness(t, Config{Sample: true})
	sample := l.all(t, 50)
	if len(sample) != 12 || l.Count() != 12 {
		t.Fatalf("%d sample users, Count() = %d; want 12", len(sample), l.Count())
	}
	if stats, err := l.Stats(t.Context()); err != nil || stats.CreatedLast24h != 12 {
		t.Errorf("Stats() = %+v, %v; want 12 users of the last 24 h", stats, err)
	}
	for _, u := range sample {
		if _, err := (users.New{Name: u.Name, Email: u.Email}).Normalize(); err != nil {
			t.Errorf("sample user %v: %v", u, err)
		}
	}
	if err := l.Delete(t.Context(), sample[0].ID); err != nil {
		t.Fatal(err)
	}
	kept := l.create(t, "Kept", "kept@example.com")
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatalf("Close() = %v", err)
		}
		l.open(t)
	}
	if got := l.all(t, 50); len(got) != 12 || got[0] != sample[1] || got[11] != kept {
		t.Errorf("after reopening there are %v", got)
	}
	if l.Count() != 12 {
		t.Errorf("Count() = %d, want 12", l.Count())
	}
}

// A migration that ran before a crash, but was not marked as applied, runs again.
func TestMigrationTwice(t *testing.T) {
	l := newHarness(t, Config{Sample: true})
	if _, err := l.writer.NewRaw("DELETE FROM bun_migrations").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.open(t)
	if n := len(l.all(t, 50)); n != 12 {
		t.Errorf("%d users after migrating twice, want 12", n)
	}
}

func TestConcurrency(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Millisecond}) // scrubs run in between
	const writers, each = 8, 40
	var writing, reading sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				page, err := l.List(context.Background(), users.MaxLimit, users.Cursor{})
				if err != nil {
					t.Errorf("List() = %v", err)
					return
				}
				for i := range page.Users[min(1, len(page.Users)):] {
					if page.Users[i].ID >= page.Users[i+1].ID {
						t.Errorf("not in order: %v", page.Users)
						return
					}
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				u, err := l.Create(context.Background(), users.New{Name: "N", Email: fmt.Sprintf("%d-%d@example.com", w, i)})
				if err == nil && i%2 == 0 {
					err = l.Delete(context.Background(), u.ID)
				}
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	if got := len(l.all(t, 50)); got != writers*each/2 || l.Count() != int64(got) {
		t.Errorf("%d users, Count() = %d; want %d", got, l.Count(), writers*each/2)
	}
}

// A database without room refuses changes and goes on to answer questions, and takes changes
// again when there is room.
func TestFull(t *testing.T) {
	l := newHarness(t, Config{})
	first := l.create(t, "N", "n@example.com")
	limit := func(pages int) {
		if _, err := l.writer.NewRaw("PRAGMA max_page_count = ?", pages).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // as many as there are
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		_, err = l.Create(t.Context(), users.New{Name: strings.Repeat("N", 100), Email: fmt.Sprintf("%d@example.com", i)})
	}
	if !errors.Is(err, users.ErrFull) {
		t.Errorf("Create() = %v of a full database, want ErrFull", err)
	}
	if _, err := l.Get(t.Context(), first.ID); err != nil {
		t.Errorf("Get() = %v of a full database", err)
	}
	limit(1 << 20)
	l.create(t, "N", "after@example.com")
}

// Another process holds the lock for too long.
func TestBusy(t *testing.T) {
	l := newHarness(t, Config{})
	if _, err := l.writer.NewRaw("PRAGMA busy_timeout = 10").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := openPool(l.cfg.Path, 1, 0, "_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Create(t.Context(), users.New{Name: "N", Email: "n@example.com"}); !errors.Is(err, users.ErrBusy) {
		t.Errorf("Create() = %v, want ErrBusy", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	l.create(t, "N", "n@example.com")
}

func TestCanceled(t *testing.T) {
	l := newHarness(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.List(ctx, 1, users.Cursor{}); !errors.Is(err, context.Canceled) {
		t.Errorf("List() = %v, want context.Canceled", err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	l := newHarness(t, Config{Sample: true})
	if _, err := l.Store.reader.NewRaw("DELETE FROM users").Exec(t.Context()); err == nil {
		t.Error("a reading connection deleted users")
	}
}

func TestOpenFails(t *testing.T) {
	l := newHarness(t, Config{})
	garbage := filepath.Join(t.TempDir(), "users.db")
	if err := os.WriteFile(garbage, []byte("this is no database, but long enough to be looked at ............................................"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{garbage, filepath.Join(t.TempDir(), "missing", "users.db"), t.TempDir()} {
		cfg := l.cfg
		cfg.Path = path
		if s, err := Open(t.Context(), cfg); err == nil {
			t.Errorf("Open(%q) = %v, nil; want an error", path, s)
		}
	}
}

// Every character of the path counts as such, even where it has a meaning in a URI.
func TestStrangePaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b.db", "a%41.db", "ä&_query_only=1.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			l := newHarness(t, Config{Path: path})
			l.create(t, "N", "n@example.com")
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPing(t *testing.T) {
	l := newHarness(t, Config{})
	if err := l.Ping(t.Context()); err != nil {
		t.Errorf("Ping() = %v", err)
	}
	if _, err := l.writer.NewRaw("DROP TABLE users").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := len(l.spans.Started())
	if err := l.Ping(t.Context()); err == nil {
		t.Error("Ping() = nil without a table")
	}
	if n := len(l.spans.Started()); n != spans {
		t.Errorf("Ping made %d spans", n-spans)
	}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store {
		return newHarness(t, Config{Now: now}).Store
	})
}
