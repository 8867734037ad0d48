package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/postgres/postgrestest"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users/storetest"
	"github.com/lgtm-lab/lgtm-lab/services/internal/usersql"
)

// harness is a store with a database of its own, whose spans the test can read.
type harness struct {
	*Store
	cfg   Config
	spans *tracetest.SpanRecorder
}

func newHarness(t *testing.T, cfg Config) *harness {
	t.Helper()
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"} {
		t.Setenv(name, "none")
	}
	l := &harness{spans: tracetest.NewSpanRecorder()}
	tel, err := telemetry.Start(t.Context(), telemetry.Config{
		ServiceName: "test", Stdout: io.Discard, Level: slog.LevelDebug, SpanProcessors: []sdktrace.SpanProcessor{l.spans},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	cfg.Telemetry = tel
	l.cfg = cfg
	if l.Store, err = Open(t.Context(), cfg); err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestStore runs all tests with one server, for its start takes a second.
func TestStore(t *testing.T) {
	server := postgrestest.Start(t)
	t.Run("as every store", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store {
			return newHarness(t, Config{URL: server.Database(t), Now: now}).Store
		})
	})
	t.Run("reopen", func(t *testing.T) { testReopen(t, server) })
	t.Run("spans", func(t *testing.T) { testSpans(t, server) })
	t.Run("faults", func(t *testing.T) { testFaults(t, server) })
	t.Run("replicas", func(t *testing.T) { testReplicas(t, server) })
	t.Run("cursor", func(t *testing.T) { testCursor(t, server) })
	t.Run("import", func(t *testing.T) { testImport(t, server) })
	t.Run("lock", func(t *testing.T) { testLock(t, server) })
	t.Run("away", func(t *testing.T) { testAway(t, server) }) // the last, because it stops the server
}

// Migrations and sample users are applied once.
func testReopen(t *testing.T, server *postgrestest.Server) {
	l := newHarness(t, Config{URL: server.Database(t), Sample: true})
	if l.Count() != 12 {
		t.Fatalf("%d sample users, want 12", l.Count())
	}
	if err := l.Delete(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if again := newHarness(t, l.cfg); again.Count() != 11 {
		t.Errorf("after reopening there are %d users, want 11", again.Count())
	}
	wrong := l.cfg
	wrong.URL = strings.Replace(l.cfg.URL, "/users", "/nothing", 1)
	if s, err := Open(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("Open() = %v, %v of a database that is not there", s, err)
	}
}

func attributes(span sdktrace.ReadOnlySpan) map[string]string {
	attrs := map[string]string{}
	for _, kv := range span.Attributes() {
		attrs[string(kv.Key)] = kv.Value.String()
	}
	return attrs
}

// The spans name the database, and have the statements without values.
func testSpans(t *testing.T, server *postgrestest.Server) {
	l := newHarness(t, Config{URL: server.Database(t)})
	if n := len(l.spans.Ended()); n != 0 {
		t.Errorf("opening made %d spans", n)
	}
	wanted := users.New{Name: `Private O'Name \' $$`, Email: "private@example.com"}
	if _, err := l.Create(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Create(t.Context(), wanted); !errors.Is(err, users.ErrEmailTaken) {
		t.Fatal(err)
	}
	_, _ = l.Get(t.Context(), 1)
	_, _ = l.List(t.Context(), 33, users.Cursor{})
	_, _ = l.Stats(t.Context())
	_ = l.Delete(t.Context(), 1)
	texts := []string{
		`INSERT INTO "users" ("id", "name", "email", "email_key", "created_at") VALUES (DEFAULT, ?, ?, ?, ?) RETURNING "id"`,
		`INSERT INTO "users" ("id", "name", "email", "email_key", "created_at") VALUES (DEFAULT, ?, ?, ?, ?) RETURNING "id"`,
		`SELECT "u"."id", "u"."name", "u"."email", "u"."created_at" FROM "users" AS "u" WHERE (id = ?)`,
		`SELECT "u"."id", "u"."name", "u"."email", "u"."created_at" FROM "users" AS "u" WHERE (id > ?) ORDER BY "id" LIMIT ?`,
		`SELECT COUNT(*), (SELECT COUNT(*) FROM users WHERE created_at >= ?) FROM "users" AS "u"`,
		`DELETE FROM "users" AS "u" WHERE (id = ?)`,
	}
	ended := l.spans.Ended()
	if len(ended) != len(texts) {
		t.Fatalf("%d spans, want %d", len(ended), len(texts))
	}
	for i, span := range ended {
		got := attributes(span)
		if got["db.system.name"] != "postgresql" || !strings.HasPrefix(got["db.namespace"], "users") || got["server.address"] != "127.0.0.1" || got["server.port"] == "" {
			t.Errorf("span %q has %v", span.Name(), got)
		}
		if got["db.query.text"] != texts[i] {
			t.Errorf("the statement is %q, want %q", got["db.query.text"], texts[i])
		}
		failed := i == 1
		if (span.Status().Code == codes.Error) != failed || (got["db.response.status_code"] == "23505") != failed || span.Status().Description != "" {
			t.Errorf("span %d has the status %v and %v", i, span.Status(), got)
		}
		if all := strings.ToLower(fmt.Sprint(got, span.Events())); strings.Contains(all, "private") || strings.Contains(all, "o'name") {
			t.Errorf("span %q has a value of the statement: %s", span.Name(), all)
		}
	}
}

func testFaults(t *testing.T, server *postgrestest.Server) {
	l := newHarness(t, Config{URL: server.Database(t), Sample: true, Faults: true})
	if _, err := l.Get(fault.Baggage(t.Context(), fault.Fault{Error: true}), 1); err == nil {
		t.Error("no error")
	}
	const delay = 20 * time.Millisecond
	if _, err := l.Get(fault.Baggage(t.Context(), fault.Fault{Delay: delay}), 1); err != nil {
		t.Error(err)
	}
	ended := l.spans.Ended()
	for _, span := range ended {
		if got := attributes(span); got["db.system.name"] != "postgresql" || strings.ContainsAny(got["db.query.text"], "0123456789") {
			t.Errorf("span %q has %v", span.Name(), got)
		}
	}
	if len(ended) != 3 || attributes(ended[0])["error.type"] != "22012" || attributes(ended[1])["db.query.text"] != "SELECT pg_sleep(?)" || ended[1].EndTime().Sub(ended[1].StartTime()) < delay {
		t.Errorf("spans %v", ended)
	}
}

// Backends that start at the same time migrate once, and share the users.
func testReplicas(t *testing.T, server *postgrestest.Server) {
	first := newHarness(t, Config{URL: server.Database(t)})
	url := server.Database(t)
	replicas := make([]*Store, 5)
	var starting sync.WaitGroup
	for i := range replicas {
		starting.Go(func() {
			cfg := first.cfg
			cfg.URL, cfg.Sample = url, true
			var err error
			if replicas[i], err = Open(t.Context(), cfg); err != nil {
				t.Errorf("Open() = %v", err)
			}
		})
	}
	starting.Wait()
	for _, r := range replicas {
		if r == nil {
			return
		}
		defer r.Close()
		if stats, err := r.Stats(t.Context()); err != nil || stats.Users != 12 {
			t.Errorf("Stats() = %+v, %v; want the 12 sample users", stats, err)
		}
	}
	u, err := replicas[0].Create(t.Context(), users.New{Name: "N", Email: "n@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := replicas[1].Get(t.Context(), u.ID); err != nil || got != u {
		t.Errorf("another replica has %v, %v", got, err)
	}
	if _, err := replicas[2].Create(t.Context(), users.New{Name: "N", Email: "N@example.com"}); !errors.Is(err, users.ErrEmailTaken) {
		t.Errorf("Create() = %v at another replica", err)
	}
}

// A user whose transaction commits late is not skipped by the cursor of a list that has
// seen a later user: the later one waits for the commit.
func testCursor(t *testing.T, server *postgrestest.Server) {
	// The other transaction may take as long as this machine needs.
	l := newHarness(t, Config{URL: server.Database(t) + "&lock_timeout=0&statement_timeout=0&idle_in_transaction_session_timeout=0"})
	tx, err := l.untraced.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	late := usersql.Row{Name: "Late", Email: "late@example.com", EmailKey: "late@example.com", CreatedAt: time.Unix(0, 0)}
	if _, err := tx.NewInsert().Model(&late).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	created := make(chan error, 1)
	go func() {
		_, err := l.Create(t.Context(), users.New{Name: "Next", Email: "next@example.com"})
		created <- err
	}()
	var next error
	for waiting, done := false, false; !waiting && !done; {
		select {
		case next = <-created:
			done = true
		case <-time.After(5 * time.Millisecond):
			if err := l.untraced.NewSelect().ColumnExpr("count(*) > 0").TableExpr("pg_locks").
				Where("locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(t.Context(), &waiting); err != nil {
				t.Fatal(err)
			}
		}
		if done {
			created <- next
		}
	}
	seen := seenFrom(t, l.Store, users.Cursor{})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	last := users.Cursor{}
	if len(seen) > 0 {
		last.After = seen[len(seen)-1]
	}
	if all := append(seen, seenFrom(t, l.Store, last)...); !slices.Equal(all, []int64{1, 2}) {
		t.Errorf("the pages have the users %v, want 1 and 2", all)
	}
}

// seenFrom returns the ids of the users after the cursor.
func seenFrom(t *testing.T, s *Store, after users.Cursor) (ids []int64) {
	t.Helper()
	page, err := s.List(t.Context(), users.MaxLimit, after)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range page.Users {
		ids = append(ids, u.ID)
	}
	return ids
}

func testImport(t *testing.T, server *postgrestest.Server) {
	url := server.Database(t)
	var rows []usersql.Row
	for i := range 2500 {
		email := fmt.Sprintf("%d'é@example.com", i)
		rows = append(rows, usersql.Row{ID: int64(3*i + 1), Name: "N\\" + email, Email: email, EmailKey: email, CreatedAt: time.Unix(int64(i), 0)})
	}
	broken := errors.New("broken")
	source := func(end error) func(func([]usersql.Row) error) (int64, error) {
		return func(f func([]usersql.Row) error) (int64, error) {
			for i := 0; i < len(rows); i += 1000 {
				if err := f(rows[i:min(i+1000, len(rows))]); err != nil {
					return 0, err
				}
			}
			return 9000, end
		}
	}
	if n, err := Import(t.Context(), url, source(broken)); !errors.Is(err, broken) || n != 0 {
		t.Errorf("Import() = %d, %v of a source that breaks", n, err)
	}
	if n, err := Import(t.Context(), url, source(nil)); err != nil || n != 2500 {
		t.Fatalf("Import() = %d, %v", n, err)
	}
	if _, err := Import(t.Context(), url, source(nil)); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a second Import() = %v", err)
	}
	l := newHarness(t, Config{URL: url, Sample: true})
	if got, err := l.Get(t.Context(), 7); err != nil || got != rows[2].User() {
		t.Errorf("Get() = %v, %v; want %v", got, err, rows[2].User())
	}
	if u, err := l.Create(t.Context(), users.New{Name: "N", Email: "new@example.com"}); err != nil || u.ID != 9001 || l.Count() != 2501 {
		t.Errorf("Create() = %v, %v with %d users; want the id 9001, and no sample users", u, err, l.Count())
	}
}

// A row that stays locked is an error that a client may answer with a retry.
func testLock(t *testing.T, server *postgrestest.Server) {
	url := server.Database(t)
	l := newHarness(t, Config{URL: url + "&lock_timeout=50", Sample: true})
	tx, err := l.untraced.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "SELECT 1 FROM users WHERE id = 1 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if err := l.Delete(t.Context(), 1); !errors.Is(err, users.ErrBusy) {
		t.Errorf("Delete() = %v of a locked row, want ErrBusy", err)
	}
}

// While the server is away, statements and the probe fail soon, and succeed afterwards.
func testAway(t *testing.T, server *postgrestest.Server) {
	l := newHarness(t, Config{URL: server.Database(t), Sample: true})
	server.Stop(t)
	for range 3 {
		if _, err := l.Get(t.Context(), 1); !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("Get() = %v, want ErrUnavailable", err)
		}
		if _, err := l.Create(t.Context(), users.New{Name: "N", Email: "n@example.com"}); !errors.Is(err, users.ErrUnavailable) {
			t.Errorf("Create() = %v, want ErrUnavailable", err)
		}
	}
	if err := l.Ping(t.Context()); err == nil {
		t.Error("Ping() = nil without a server")
	}
	starting := make(chan error, 1)
	go func() {
		s, err := Open(context.Background(), l.cfg)
		if err == nil {
			err = s.Close()
		}
		starting <- err
	}()
	server.Resume(t)
	if err := l.Ping(t.Context()); err != nil {
		t.Errorf("Ping() = %v after the server has come back", err)
	}
	if u, err := l.Get(t.Context(), 1); err != nil || u.Name != "Ada Lovelace" {
		t.Errorf("Get() = %v, %v after the server has come back", u, err)
	}
	if err := <-starting; err != nil {
		t.Errorf("Open() = %v of a server that came while it waited", err)
	}
}
