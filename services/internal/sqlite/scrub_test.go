package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// marker matches the random part of the names and addresses that fill creates.
var marker = regexp.MustCompile(`[0-9a-f]{16}`)

// traces counts the users whose name or address is in one of the database's files: the
// file itself, the log, or the index of the log.
func traces(t *testing.T, path string, of []users.User) int {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files at %s: %v", path, err)
	}
	onDisk := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, found := range marker.FindAll(b, -1) {
			onDisk[string(found)] = true
		}
	}
	n := 0
	for _, u := range of {
		if onDisk[u.Name[1:17]] || onDisk[u.Email[:16]] {
			n++
		}
	}
	return n
}

// leakingSeed makes fill leave copies of two deleted users in unused parts of pages.
const leakingSeed = 22

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// fill creates n users in an order that splits and merges pages, and deletes two thirds
// of them. It returns the deleted users and the remaining ones.
func fill(t *testing.T, l *harness, n int, seed uint64) (gone, kept []users.User) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	var all []users.User
	for i := range n {
		all = append(all, l.create(t, fmt.Sprintf(".%016x name %04d.", random.Uint64(), i), fmt.Sprintf("%016x-mail-%04d@example.com", random.Uint64(), i)))
	}
	random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	gone, kept = all[:n*2/3], all[n*2/3:]
	for _, u := range gone {
		if err := l.Delete(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
	}
	return gone, kept
}

// Deleted data disappears from the files while the database is open.
func TestDeletionRemovesBytes(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Hour})
	// This seed leaves copies that neither secure_delete nor a checkpoint removes.
	gone, kept := fill(t, l, 3000, leakingSeed)
	if n := traces(t, l.cfg.Path, gone); n == 0 {
		t.Fatal("nothing of the deleted users is left before a scrub: the test cannot fail")
	}
	if err := l.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	switch n := traces(t, l.cfg.Path, gone); {
	case n == 0:
		t.Error("a checkpoint alone removes everything: the seed no longer shows what clearUnused is for")
	case n > 10:
		t.Errorf("a checkpoint leaves %d deleted users: secure_delete is off", n)
	}
	if err := l.scrubNow(t.Context(), atOnce); err != nil {
		t.Fatal(err)
	}
	if n := traces(t, l.cfg.Path, gone); n != 0 {
		t.Errorf("%d of %d deleted users are still on the disk", n, len(gone))
	}
	if n := traces(t, l.cfg.Path, kept); n != len(kept) {
		t.Errorf("%d of %d other users are on the disk", n, len(kept))
	}
	wantIntact(t, l)
	if got := l.all(t, 200); len(got) != len(kept) {
		t.Errorf("%d users are left, want %d", len(got), len(kept))
	}
}

// wantIntact has SQLite check each page and each index of the database.
func wantIntact(t *testing.T, l *harness) {
	t.Helper()
	var result string
	if err := l.scan.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity_check: %s, %v", result, err)
	}
}

// Others can write between two batches of a scrub: a scrub holds no lock for all of its
// time.
func TestScrubLetsOthersWrite(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Hour})
	gone, _ := fill(t, l, 3000, leakingSeed)
	var created int
	err := l.scrubNow(t.Context(), func(time.Duration) {
		l.create(t, "N", fmt.Sprintf("%d@example.com", created))
		created++
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(l.cfg.Path); err != nil || created < int(info.Size())/4096/batch {
		t.Errorf("others had %d turns while %d bytes were scrubbed, %v", created, info.Size(), err)
	}
	if n := traces(t, l.cfg.Path, gone); n != 0 {
		t.Errorf("%d of %d deleted users are still on the disk", n, len(gone))
	}
	wantIntact(t, l)
}

// A scrub returns the space of deleted users to the file system. A database from before
// auto_vacuum keeps the space, but not the data.
func TestScrubOfOlderDatabase(t *testing.T) {
	for _, older := range []bool{false, true} {
		t.Run(fmt.Sprintf("older=%t", older), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.db")
			if older {
				pool, err := openPool(path, 1, 0, "_journal_mode=WAL&_pragma=secure_delete(on)")
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(migrateUp(t.Context(), pool, false), pool.Close()); err != nil {
					t.Fatal(err)
				}
			}
			l := newHarness(t, Config{Path: path, ScrubDelay: time.Hour})
			gone, kept := fill(t, l, 3000, leakingSeed)
			if err := l.checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.scrubNow(t.Context(), atOnce); err != nil {
				t.Fatal(err)
			}
			after, err := os.Stat(path)
			if err != nil || (after.Size() < before.Size()) == older {
				t.Errorf("the file had %d bytes and has %d, %v", before.Size(), after.Size(), err)
			}
			if gone, kept := traces(t, path, gone), len(kept)-traces(t, path, kept); gone != 0 || kept != 0 {
				t.Errorf("%d deleted users are on the disk, %d others are not", gone, kept)
			}
			wantIntact(t, l)
		})
	}
}

// atOnce makes a scrub without pauses.
func atOnce(time.Duration) {}

// The scrubber removes deleted data without being called.
func TestScrubberRuns(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Millisecond})
	gone, _ := fill(t, l, 30, 1)
	eventually(t, "nothing of deleted users is on the disk", func() bool { return traces(t, l.cfg.Path, gone) == 0 })
}

// A reader that uses the log delays a scrub, and does not prevent it.
func TestScrubWaitsForReaders(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Millisecond})
	l.create(t, "N", "n@example.com")
	tx, err := l.untraced.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.NewSelect().Model((*row)(nil)).Count(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone, _ := fill(t, l, 30, 1)
	if err := l.checkpoint(t.Context()); !isBusy(err) {
		t.Errorf("checkpoint() = %v under a reader, want busy", err)
	}
	// There is no further deletion, so these are retries.
	const failed = "deleted data is still on the disk"
	begun := l.out.count(failed)
	eventually(t, "the scrubber fails twice more", func() bool { return l.out.count(failed) >= begun+2 })
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing of deleted users is on the disk", func() bool { return traces(t, l.cfg.Path, gone) == 0 })
}

// Closing leaves a single file, without the data that was deleted just before.
func TestCloseScrubs(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Hour})
	gone, kept := fill(t, l, 300, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := traces(t, l.cfg.Path, gone); n != 0 {
		t.Errorf("%d of %d deleted users are still on the disk", n, len(gone))
	}
	if n := traces(t, l.cfg.Path, kept); n != len(kept) {
		t.Errorf("%d of %d other users are on the disk", n, len(kept))
	}
	if !closedCleanly(l.cfg.Path) {
		t.Error("the log is still there")
	}
}

// If Close has no time to finish a scrub, the next Open scrubs.
func TestOpenScrubsWhatCloseLeft(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Hour})
	gone, _ := fill(t, l, 3000, leakingSeed)
	l.closePatience = time.Nanosecond
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := traces(t, l.cfg.Path, gone); n == 0 {
		t.Fatal("nothing of the deleted users is left: the test cannot fail")
	}
	l.cfg.ScrubDelay = time.Millisecond
	l.open(t)
	eventually(t, "nothing of deleted users is on the disk", func() bool { return traces(t, l.cfg.Path, gone) == 0 })
	eventually(t, "the database is not marked any more", func() bool {
		mark, err := l.scrubMark(t.Context())
		return err == nil && mark == scrubbed
	})
}

// After a process was killed, the next one scrubs.
func TestOpenScrubsAfterCrash(t *testing.T) {
	l := newHarness(t, Config{ScrubDelay: time.Hour})
	gone, _ := fill(t, l, 300, 1)
	// A killed process leaves the files as they are while it runs.
	crashed := filepath.Join(t.TempDir(), "users.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(l.cfg.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.cfg.Path, l.cfg.ScrubDelay = crashed, time.Millisecond
	l.open(t)
	eventually(t, "nothing of deleted users is on the disk", func() bool { return traces(t, crashed, gone) == 0 })
	if l.Count() != 100 {
		t.Errorf("Count() = %d, want 100", l.Count())
	}
}
