package sqlite

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

func backupOf(t testing.TB, path string) ([]byte, BackupInfo) {
	t.Helper()
	var b bytes.Buffer
	info, err := Backup(t.Context(), path, &b)
	if err != nil {
		t.Fatalf("Backup() = %v", err)
	}
	return b.Bytes(), info
}

// restored opens a store of its own with the users of a backup.
func restored(t testing.TB, backup []byte) *harness {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.db")
	if _, _, err := Stage(t.Context(), path, bytes.NewReader(backup)); err != nil {
		t.Fatalf("Stage() = %v", err)
	}
	if _, err := TakeStaged(t.Context(), path); err != nil {
		t.Fatalf("TakeStaged() = %v", err)
	}
	return newHarness(t, Config{Path: path, ScrubDelay: time.Hour})
}

// A backup that is made while others write has every user who was created, and not
// deleted, before it began.
func TestBackupUnderWrites(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Millisecond}) // scrubs run in between
	fill(t, l, 900, 1)
	var mu sync.Mutex
	there := map[users.User]bool{}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				u, err := l.Create(context.Background(), users.New{Name: "N", Email: fmt.Sprintf("%d-%d@example.com", w, i)})
				if err != nil {
					t.Errorf("Create() = %v", err)
					return
				}
				mu.Lock()
				there[u] = true
				mu.Unlock()
				if i%3 != 0 {
					continue
				}
				mu.Lock()
				delete(there, u)
				mu.Unlock()
				if err := l.Delete(context.Background(), u.ID); err != nil {
					t.Errorf("Delete() = %v", err)
				}
			}
		})
	}
	for range 5 {
		time.Sleep(20 * time.Millisecond)
		mu.Lock()
		want := make([]users.User, 0, len(there))
		for u := range there {
			want = append(want, u)
		}
		mu.Unlock()
		backup, info := backupOf(t, l.cfg.Path)
		r := restored(t, backup)
		wantIntact(t, r)
		got := map[users.User]bool{}
		for _, u := range r.all(t, users.MaxLimit) {
			got[u] = true
		}
		for _, u := range want {
			if !got[u] {
				t.Errorf("the backup has not %v, who was created before it began", u)
			}
		}
		if info.Users != int64(len(got)) || info.Users < int64(len(want)) {
			t.Errorf("info says %d users; restored %d, before it began there were %d", info.Users, len(got), len(want))
		}
	}
	stop()
	writing.Wait()
	if len(there) == 0 {
		t.Error("no user was created: the test cannot fail")
	}
}

// A backup has nothing of users that were deleted before, although the database's own files
// still have.
func TestBackupWithoutDeletedUsers(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Hour})
	gone, kept := fill(t, l, 3000, leakingSeed)
	if err := l.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := traces(t, l.cfg.Path, gone); n == 0 {
		t.Fatal("nothing of the deleted users is left in the database: the test cannot fail")
	}
	backup, _ := backupOf(t, l.cfg.Path)
	path := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if gone, missing := traces(t, path, gone), len(kept)-traces(t, path, kept); gone != 0 || missing != 0 {
		t.Errorf("%d deleted users are in the backup, %d others are not", gone, missing)
	}
	if got := len(restored(t, backup).all(t, users.MaxLimit)); got != len(kept) {
		t.Errorf("%d users are restored, want %d", got, len(kept))
	}
}

// A file that is not a good backup changes nothing.
func TestStageRefuses(t *testing.T) {
	l := newHarness(t, Config{Sample: true})
	good, _ := backupOf(t, l.cfg.Path)
	if _, err := l.writer.NewRaw("INSERT INTO bun_migrations (name) VALUES ('20990101000000')").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	newer, _ := backupOf(t, l.cfg.Path)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	database, err := os.ReadFile(l.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	type file struct {
		name    string
		content []byte
		want    error
	}
	files := []file{
		{"empty", nil, ErrForeign}, {"text", []byte("users"), ErrForeign}, {"long text", bytes.Repeat([]byte("users "), 5000), ErrForeign},
		{"another database", database, ErrForeign},
		{"newer schema", newer, ErrNewer},
		{"newer format", bytes.Replace(good, []byte(trailerMark+"1\n"), []byte(trailerMark+"2\n"), 1), ErrNewer},
		{"longer", append(bytes.Clone(good), 'x'), ErrDamaged},
	}
	for _, n := range []int{fileHeaderSize, 4096, len(good) / 2, len(good) - 300, len(good) - 65, len(good) - 1} {
		files = append(files, file{fmt.Sprintf("%d of %d bytes", n, len(good)), good[:n], ErrDamaged})
	}
	for at := headerApplicationID + 4; at < len(good); at += len(good) / 23 {
		damaged := bytes.Clone(good)
		damaged[at] ^= 0x10
		files = append(files, file{fmt.Sprintf("flip at %d", at), damaged, ErrDamaged})
	}
	path := filepath.Join(t.TempDir(), "users.db")
	for _, tt := range files {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := Stage(t.Context(), path, bytes.NewReader(tt.content)); !errors.Is(err, tt.want) {
				t.Errorf("Stage() = %v, want %v", err, tt.want)
			}
			if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	if _, _, err := Stage(t.Context(), path, bytes.NewReader(good)); err != nil {
		t.Errorf("Stage() = %v of the good one", err)
	}
}

// A damaged database gives no backup.
func TestBackupOfDamagedDatabase(t *testing.T) {
	l := newHarness(t, Config{})
	fill(t, l, 600, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(l.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	copy(content[len(content)-3*4096:], make([]byte, 2*4096))
	if err := os.WriteFile(l.cfg.Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := Backup(t.Context(), l.cfg.Path, &bytes.Buffer{}); err == nil {
		t.Errorf("Backup() = %v, nil of a damaged database", info)
	}
	if _, err := Backup(t.Context(), filepath.Join(t.TempDir(), "no.db"), &bytes.Buffer{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Backup() = %v without a database", err)
	}
}

// The backup of a database with an older schema is migrated.
func TestRestoreOlderSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.db")
	pool, err := openPool(path, 1, 0, "_journal_mode=WAL")
	if err != nil {
		t.Fatal(err)
	}
	if err := migrateUp(t.Context(), pool, false); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"INSERT INTO users (name, email, email_key, created_at) VALUES ('Old', 'old@example.com', 'old@example.com', '2026-01-02 15:04:05+00:00')",
		"DROP INDEX users_created_at", "DELETE FROM bun_migrations",
	} {
		if _, err := pool.DB.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	backup, info := backupOf(t, path)
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	r := restored(t, backup)
	var indexes int
	if err := r.scan.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'users_created_at'").Scan(&indexes); err != nil || indexes != 1 {
		t.Errorf("the restored database has %d of the newer indexes, %v", indexes, err)
	}
	if got := r.all(t, 10); len(got) != 1 || got[0].Name != "Old" || info.Schema != "" {
		t.Errorf("restored %v from the schema %q", got, info.Schema)
	}
}

var update = flag.Bool("update", false, "write the backup in testdata anew")

// A backup that an earlier version has written can be restored.
func TestRestoreEarlierBackup(t *testing.T) {
	const name = "testdata/backup_format_1.gz"
	if *update {
		l := newHarness(t, Config{Sample: true})
		backup, _ := backupOf(t, l.cfg.Path)
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(backup)
		if err := errors.Join(err, w.Close(), os.WriteFile(name, packed.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "users.db")
	info, _, err := Stage(t.Context(), path, unpacked)
	if err == nil {
		_, err = TakeStaged(t.Context(), path)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := newHarness(t, Config{Path: path, Sample: true}).all(t, 50)
	if len(got) != 12 || got[0].Name != "Ada Lovelace" || info.Users != 12 {
		t.Errorf("restored %v, info %+v", got, info)
	}
}

// A restore keeps the replaced database, says what differs, and gives no id twice.
func TestTakeStaged(t *testing.T) {
	l := newHarness(t, Config{})
	ada := l.create(t, "Ada", "ada@example.com")
	backup, _ := backupOf(t, l.cfg.Path)
	if err := l.Delete(t.Context(), ada.ID); err != nil {
		t.Fatal(err)
	}
	bob, cyd := l.create(t, "Bob", "bob@example.com"), l.create(t, "Cyd", "cyd@example.com")
	_, since, err := Stage(t.Context(), l.cfg.Path, bytes.NewReader(backup))
	if want := (Comparison{Known: true, Back: 1, Lost: 2}); err != nil || since != want {
		t.Errorf("Stage() = %+v, %v; want %+v", since, err, want)
	}
	if !Staged(l.cfg.Path) || l.Count() != 2 {
		t.Error("the staged backup is not there, or has replaced the database already")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	replaced, err := TakeStaged(t.Context(), l.cfg.Path)
	if err != nil || Staged(l.cfg.Path) {
		t.Fatalf("TakeStaged() = %v", err)
	}
	l.open(t)
	if got := l.all(t, 10); len(got) != 1 || got[0] != ada {
		t.Errorf("restored %v, want %v", got, ada)
	}
	if next := l.create(t, "Dan", "dan@example.com"); next.ID != cyd.ID+1 {
		t.Errorf("the next id is %d, want %d", next.ID, cyd.ID+1)
	}
	old := newHarness(t, Config{Path: replaced})
	if got := old.all(t, 10); len(got) != 2 || got[0] != bob {
		t.Errorf("the replaced database has %v", got)
	}
	if again, err := TakeStaged(t.Context(), l.cfg.Path); again != "" || err != nil {
		t.Errorf("a second TakeStaged() = %q, %v", again, err)
	}
}

// A process that was killed has left its log; another was killed while it took the backup.
func TestTakeStagedAfterCrash(t *testing.T) {
	l := newHarness(t, Config{})
	l.create(t, "Ada", "ada@example.com")
	backup, _ := backupOf(t, l.cfg.Path)
	bob := l.create(t, "Bob", "bob@example.com")
	for _, there := range [][]string{{"", "-wal"}, {"-wal"}, {""}, {}} {
		t.Run(fmt.Sprint(there), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.db")
			if _, _, err := Stage(t.Context(), path, bytes.NewReader(backup)); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range there {
				content, err := os.ReadFile(l.cfg.Path + suffix)
				if err == nil {
					err = os.WriteFile(path+suffix, content, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			replaced, err := TakeStaged(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if got := newHarness(t, Config{Path: path}).all(t, 10); len(got) != 1 || got[0].Name != "Ada" {
				t.Errorf("restored %v", got)
			}
			if len(there) == 2 {
				if got := newHarness(t, Config{Path: replaced}).all(t, 10); len(got) != 2 || got[1] != bob {
					t.Errorf("the replaced database has %v, want the users of its log, too", got)
				}
			}
		})
	}
}

func TestInUse(t *testing.T) {
	l := newHarness(t, Config{})
	l.create(t, "Ada", "ada@example.com")
	if !InUse(t.Context(), l.cfg.Path) {
		t.Error("InUse() = false of an open database")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if InUse(t.Context(), l.cfg.Path) {
		t.Error("InUse() = true of a closed database")
	}
	l.open(t)
	l.create(t, "Bob", "bob@example.com")
}
