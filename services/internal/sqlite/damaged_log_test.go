package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A start says so when the write-ahead log of a killed process is damaged: SQLite itself opens
// a database without the users behind the damage, and says nothing.
func TestDamagedLogIsNoticed(t *testing.T) {
	const created = 30
	l := newHarness(t, Config{})
	for i := range created {
		l.create(t, "N", fmt.Sprintf("n%d@example.com", i))
	}
	for name, c := range map[string]struct {
		do      func(log []byte) []byte
		lost    bool // users are missing
		noticed bool
	}{
		"whole":                  {func(log []byte) []byte { return log }, false, false},
		"flipped in its middle":  {func(log []byte) []byte { log[len(log)/2] ^= 0xA5; return log }, true, true},
		"flipped in its header":  {func(log []byte) []byte { log[20] ^= 0xA5; return log }, true, true},
		"no log":                 {func(log []byte) []byte { log[0] ^= 0xA5; return log }, true, true},
		"cut in its last frame":  {func(log []byte) []byte { return log[:len(log)-100] }, true, false},
		"longer than it is used": {func(log []byte) []byte { return append(log, oldFrames(log)...) }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.db")
			copyAs(t, l.cfg.Path, path, func(b []byte) []byte { return b })
			copyAs(t, l.cfg.Path+"-wal", path+"-wal", c.do)
			after := newHarness(t, Config{Path: path})
			if lost := after.Count() < created; lost != c.lost {
				t.Errorf("%d of %d users are there: the test damages something else", after.Count(), created)
			}
			if noticed := after.out.count("write-ahead log is damaged") == 1; noticed != c.noticed {
				t.Errorf("noticed %t, want %t", noticed, c.noticed)
			}
		})
	}
}

// oldFrames are the frames of a log as an older log has left them, with other salts.
func oldFrames(log []byte) []byte {
	const frame = frameHeaderSize + 4096
	old := append([]byte{}, log[logHeaderSize:]...)
	for at := 0; at+frame <= len(old); at += frame {
		old[at+8]++
	}
	return old
}

func copyAs(t *testing.T, from, to string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}
