// Package storetest has the tests that every store of users must pass.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// Store is a store of users.
type Store interface {
	List(ctx context.Context, limit int, after users.Cursor) (users.Page, error)
	Get(ctx context.Context, id int64) (users.User, error)
	Create(ctx context.Context, n users.New) (users.User, error)
	Delete(ctx context.Context, id int64) error
	Stats(ctx context.Context) (users.Stats, error)
	Count() int64
	Ping(ctx context.Context) error
}

// Open opens a new and empty store, which ends with the test. now is its clock.
type Open func(t *testing.T, now func() time.Time) Store

// Run runs the tests against a store.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"create, get, delete": testCreateGetDelete,
		"unique e-mail":       testUniqueEmail,
		"hostile values":      testHostileValues,
		"pages":               testListPages,
		"stats":               testStats,
		"concurrency":         testConcurrency,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// opened is an open store.
type opened struct{ Store }

func (l opened) create(t *testing.T, name, email string) users.User {
	t.Helper()
	u, err := l.Create(t.Context(), users.New{Name: name, Email: email})
	if err != nil {
		t.Fatalf("Create(%q, %q) = %v", name, email, err)
	}
	return u
}

// all reads every user, page by page.
func (l opened) all(t *testing.T, limit int) []users.User {
	t.Helper()
	var all []users.User
	for cursor := (users.Cursor{}); ; {
		page, err := l.List(t.Context(), limit, cursor)
		if err != nil {
			t.Fatalf("List() = %v", err)
		}
		all = append(all, page.Users...)
		if cursor = page.Next; cursor == (users.Cursor{}) {
			return all
		}
		if len(page.Users) != limit {
			t.Fatalf("a page that is not the last has %d users, want %d", len(page.Users), limit)
		}
	}
}

func testCreateGetDelete(t *testing.T, open Open) {
	created := time.Date(2026, 1, 2, 15, 4, 5, 987654321, time.FixedZone("", 3600))
	l := opened{open(t, func() time.Time { return created })}
	u := l.create(t, "Ada", "Ada@Example.com")
	want := users.User{ID: 1, Name: "Ada", Email: "Ada@Example.com", CreatedAt: time.Date(2026, 1, 2, 14, 4, 5, 0, time.UTC)}
	if u != want {
		t.Errorf("Create() = %v, want %v", u, want)
	}
	if got, err := l.Get(t.Context(), u.ID); err != nil || got != want {
		t.Errorf("Get() = %v, %v; want %v", got, err, want)
	}
	if n := l.Count(); n != 1 {
		t.Errorf("Count() = %d, want 1", n)
	}
	if err := l.Delete(t.Context(), u.ID); err != nil {
		t.Errorf("Delete() = %v", err)
	}
	if _, err := l.Get(t.Context(), u.ID); !errors.Is(err, users.ErrNotFound) {
		t.Errorf("Get() after Delete = %v, want ErrNotFound", err)
	}
	if err := l.Delete(t.Context(), u.ID); !errors.Is(err, users.ErrNotFound) {
		t.Errorf("second Delete() = %v, want ErrNotFound", err)
	}
	if n := l.Count(); n != 0 {
		t.Errorf("Count() = %d, want 0", n)
	}
	// An id is never used again: a cursor or a bookmark must not lead to another user.
	if next := l.create(t, "Bob", "bob@example.com"); next.ID != 2 {
		t.Errorf("the next id is %d, want 2", next.ID)
	}
}

func testUniqueEmail(t *testing.T, open Open) {
	l := opened{open(t, time.Now)}
	l.create(t, "Ada", "ada@example.com")
	l.create(t, "Änne", "änne@example.com")
	for _, email := range []string{"ada@example.com", "ADA@EXAMPLE.COM", "ÄNNE@example.com"} {
		if _, err := l.Create(t.Context(), users.New{Name: "B", Email: email}); !errors.Is(err, users.ErrEmailTaken) {
			t.Errorf("Create(%q) = %v, want ErrEmailTaken", email, err)
		}
	}
	if n := l.Count(); n != 2 {
		t.Errorf("Count() = %d, want 2", n)
	}
}

// Values are stored unchanged, even if they look like SQL.
func testHostileValues(t *testing.T, open Open) {
	l := opened{open(t, time.Now)}
	for i, name := range []string{"Robert'); DROP TABLE users;--", `"?" ?0 :a @b $c`, "%s %d {{.}}", `\'; --`, "阿达 🙂"} {
		u := l.create(t, name, fmt.Sprintf("%d'\"?@example.com", i))
		got, err := l.Get(t.Context(), u.ID)
		if err != nil || got != u || got.Name != name {
			t.Errorf("%q came back as %v, %v", name, got, err)
		}
	}
}

func testListPages(t *testing.T, open Open) {
	l := opened{open(t, time.Now)}
	var want []users.User
	for i := range 25 {
		want = append(want, l.create(t, "N", fmt.Sprintf("%d@example.com", i)))
	}
	for _, limit := range []int{1, 7, 24, 25, 26, users.MaxLimit} {
		got := l.all(t, limit)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("in pages of %d: %v, want %v", limit, got, want)
		}
	}
	// A cursor works even if its user has been deleted.
	first, err := l.List(t.Context(), 5, users.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Delete(t.Context(), first.Next.After); err != nil {
		t.Fatal(err)
	}
	second, err := l.List(t.Context(), 5, first.Next)
	if err != nil || len(second.Users) != 5 || second.Users[0].ID != 6 {
		t.Errorf("the page behind a deleted user is %v, %v", second, err)
	}
	if page, err := l.List(t.Context(), 0, users.Cursor{After: 1 << 60}); err != nil || page.Users == nil || len(page.Users) != 0 || page.Next.After != 0 {
		t.Errorf("a cursor from nowhere gives %v, %v", page, err)
	}
}

func testStats(t *testing.T, open Open) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	l := opened{open(t, func() time.Time { return now })}
	l.create(t, "Old", "old@example.com")
	now = now.Add(24*time.Hour + time.Second)
	l.create(t, "New", "new@example.com")
	stats, err := l.Stats(t.Context())
	if err != nil || stats.Users != 2 || stats.CreatedLast24h != 1 || stats.DatabaseSize == 0 {
		t.Errorf("Stats() = %+v, %v; want 2 users, 1 of them new, and a size", stats, err)
	}
	if err := l.Ping(t.Context()); err != nil {
		t.Errorf("Ping() = %v", err)
	}
}

// Several clients create users with the same addresses: each address is taken once.
func testConcurrency(t *testing.T, open Open) {
	l := opened{open(t, time.Now)}
	const clients, addresses = 8, 20
	created := make(chan users.User, clients*addresses)
	var writing sync.WaitGroup
	for range clients {
		writing.Go(func() {
			for i := range addresses {
				u, err := l.Create(context.Background(), users.New{Name: "N", Email: fmt.Sprintf("%d@example.com", i)})
				switch {
				case err == nil:
					created <- u
				case !errors.Is(err, users.ErrEmailTaken):
					t.Errorf("Create() = %v", err)
				}
			}
		})
	}
	writing.Wait()
	close(created)
	if got := len(l.all(t, 7)); got != addresses || len(created) != addresses || l.Count() != addresses {
		t.Errorf("%d users, %d answers, Count() = %d; want %d", got, len(created), l.Count(), addresses)
	}
}
