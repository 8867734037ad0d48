package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"
)

// A scrub keeps every row, in tables with all kinds of pages and cells, in files of all
// page sizes, with and without the pages that auto_vacuum adds.
func TestScrubKeepsEveryRow(t *testing.T) {
	for _, pageSize := range []int{512, 1024, 4096, 65536} {
		for _, mode := range []string{"none", "incremental"} {
			t.Run(fmt.Sprintf("%d %s", pageSize, mode), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "users.db")
				pool, err := openPool(path, 1, 0, fmt.Sprintf("_auto_vacuum=%s&_pragma=page_size(%d)&_pragma=secure_delete(on)", mode, pageSize))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(fillStrangely(t.Context(), pool), pool.Close()); err != nil {
					t.Fatal(err)
				}
				l := newHarness(t, Config{Path: path, ScrubDelay: time.Hour})
				before := dump(t, l)
				if err := l.scrubNow(t.Context(), atOnce); err != nil {
					t.Fatal(err)
				}
				if after := dump(t, l); after != before {
					t.Error("a scrub has changed the data")
				}
				wantIntact(t, l)
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if n := bytes.Count(content, []byte("short and deleted")); n != 0 {
					t.Errorf("the file has %d of the deleted rows", n)
				}
			})
		}
	}
}

// fillStrangely creates tables and indexes with short values and with values that need
// many pages, and deletes half of the rows. The ids come in random order, so that pages
// split in the middle.
func fillStrangely(ctx context.Context, db *bun.DB) error {
	random := rand.New(rand.NewPCG(1, 2))
	for _, statement := range []string{
		"CREATE TABLE rows (id INTEGER PRIMARY KEY, value TEXT)", "CREATE INDEX rows_value ON rows (value)",
		"CREATE TABLE keys (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID", "CREATE TABLE empty (id INTEGER)",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for i := range 1500 {
		text := fmt.Sprintf("%x and kept", random.Uint64())
		if i%2 == 0 {
			text = fmt.Sprintf("%x short and deleted", random.Uint64())
		}
		if i%50 == 1 {
			text += strings.Repeat("x", random.IntN(3*65536))
		}
		id := random.Int64N(1 << (8 + i%50))
		_, err1 := tx.ExecContext(ctx, "INSERT OR IGNORE INTO rows VALUES (?, ?)", id, text)
		_, err2 := tx.ExecContext(ctx, "INSERT INTO keys VALUES (?, randomblob(?))", text, random.IntN(40))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
	}
	_, err1 := tx.ExecContext(ctx, "DELETE FROM rows WHERE value LIKE '%deleted'")
	_, err2 := tx.ExecContext(ctx, "DELETE FROM keys WHERE key LIKE '%deleted'")
	return errors.Join(err1, err2, tx.Commit())
}

// dump returns the content of all tables, read from the tables and from their indexes.
func dump(t *testing.T, l *harness) string {
	t.Helper()
	var all strings.Builder
	for _, query := range []string{
		"SELECT id || value FROM rows NOT INDEXED", "SELECT value FROM rows INDEXED BY rows_value ORDER BY value",
		"SELECT key || hex(value) FROM keys", "SELECT count(*) FROM empty", "SELECT sql FROM sqlite_schema",
	} {
		rows, err := l.scan.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var value *string
			if err := rows.Scan(&value); err != nil {
				t.Fatal(err)
			}
			if value != nil {
				all.WriteString(*value + "\n")
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// Pages of 32 bytes, in which "x" is left-over data. The format is the same for all
// page sizes.
func TestClearUnused(t *testing.T) {
	const (
		leaf     = "\x0d\x00\x17\x00\x01\x00\x12\x01" // table leaf; free block at 23, one cell, cells from 18, one byte in fragments
		interior = "\x05\x00\x00\x00\x01\x00\x1b\x00\x00\x00\x00\x09\x00\x1b"
		cell     = "\x02\x07hi" // a payload of two bytes, of row 7
	)
	for _, tt := range []struct{ name, page, want string }{
		{"leaf", leaf + "\x00\x12" + "xxxxxxxx" + cell + "x" + "\x00\x00\x00\x09" + "xxxxx",
			leaf + "\x00\x12" + zeros(8) + cell + zeros(1) + "\x00\x00\x00\x09" + zeros(5)},
		{"interior", interior + "xxxxxxxxxxxxx" + "\x00\x00\x00\x08\x07", interior + zeros(13) + "\x00\x00\x00\x08\x07"},
		// A page of auto_vacuum's pointer map may begin like a b-tree page.
		{"pointer map", "\x05\x00\x01\x00\x00" + "\x01\x00\x00\x00\x04" + strings.Repeat("\x01\x00\x00\x00\x09", 4) + "\x00\x00", ""},
		{"no cells", "\x05\x00\x00\x00\x00" + "\x00\x10\x00\x00\x04" + strings.Repeat("\x05\x00\x00\x00\x09", 4) + "\x00\x00", ""},
		{"overlap", leaf + "\x00\x14" + "xxxxxxxx" + cell + "x" + "\x00\x00\x00\x09" + "xxxxx", ""},
		{"other kind", strings.Repeat("x", 32), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				tt.want = tt.page
			}
			page := []byte(tt.page)
			if changed := clearUnused(page, 2, 32); changed != (tt.want != tt.page) || string(page) != tt.want {
				t.Errorf("changed = %t\nfrom %q\n  to %q\nwant %q", changed, tt.page, page, tt.want)
			}
		})
	}
}

func zeros(n int) string { return strings.Repeat("\x00", n) }

// For any page, a second call of clearUnused changes nothing.
func FuzzClearUnused(f *testing.F) {
	l := newHarness(f, Config{Sample: true})
	for number := 1; number <= 12; number++ {
		page, err := readPage(f.Context(), l.scan, number)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(page, number, len(page))
	}
	f.Add([]byte{tableLeaf, 0, 0, 0, 0, 0, 0, 0}, 2, 8)
	f.Fuzz(func(t *testing.T, page []byte, number, usable int) {
		if usable < 0 || number < 1 {
			return
		}
		before := bytes.Clone(page)
		if changed := clearUnused(page, number, usable); changed == bytes.Equal(page, before) {
			t.Errorf("changed = %t", changed)
		}
		if clearUnused(page, number, usable) {
			t.Error("cleared twice")
		}
	})
}
