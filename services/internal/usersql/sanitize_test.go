package usersql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

// nowhere connects to no database.
type nowhere struct{}

func (nowhere) Connect(context.Context) (driver.Conn, error) { return nil, errors.New("no database") }
func (nowhere) Driver() driver.Driver                        { return nil }

func TestSanitizeQuery(t *testing.T) {
	for query, want := range map[string]string{
		``:                                     ``,
		`SELECT 1`:                             `SELECT ?`,
		`SELECT 'it''s', x'00ff', X'00', xs`:   `SELECT ?, ?, ?, xs`,
		`WHERE a = -1.5e-3 AND b=.5 OR c=0x1F`: `WHERE a = -? AND b=? OR c=?`,
		`"t1"."a 1" = 1 AND t1.b2 = 'x'`:       `"t1"."a 1" = ? AND t1.b2 = ?`,
		`"a""1" 'b'`:                           `"a""1" ?`,
		"`a'1` 'b'":                            "`a'1` ?",
		`'never ends`:                          `?`,
		`IN (1, 2,3)`:                          `IN (?, ?,?)`,
		`LIMIT 51`:                             `LIMIT ?`,
		`Straße = 'Straße'`:                    `Straße = ?`,
		`f(1)+g('a')||'b'`:                     `f(?)+g(?)||?`,
	} {
		if got := sanitizeQuery(query); got != want {
			t.Errorf("sanitizeQuery(%s) = %s, want %s", query, got, want)
		}
	}
}

// No value that Bun writes into a statement remains in the sanitized one.
func FuzzSanitizeQuery(f *testing.F) {
	for _, seed := range []string{"ada@example.com", "it's", "''", `\'`, `"`, "--", "/*", "x'", "1e5", "?", "\n"} {
		f.Add(seed, int64(7), []byte(seed))
	}
	dialects := []*bun.DB{
		bun.NewDB(sql.OpenDB(nowhere{}), sqlitedialect.New()),
		bun.NewDB(sql.OpenDB(nowhere{}), pgdialect.New()),
	}
	f.Fuzz(func(t *testing.T, text string, number int64, blob []byte) {
		if blob == nil {
			blob = []byte{}
		}
		if strings.ContainsRune(text, 0) {
			return // Bun refuses NUL
		}
		for _, db := range dialects {
			query := db.NewSelect().ColumnExpr("a").TableExpr("t").
				Where("b = ?", text).Where("c IN (?)", bun.List([]string{text, "s"})).Where("d = ?", number).Where("e = ?", blob).Where("f = ?", text).
				String()
			sign := ""
			if number < 0 {
				sign = "-"
			}
			want := `SELECT a FROM t WHERE (b = ?) AND (c IN (?, ?)) AND (d = ` + sign + `?) AND (e = ?) AND (f = ?)`
			if got := sanitizeQuery(query); got != want {
				t.Errorf("sanitizeQuery(%s)\n= %s, want\n  %s", query, got, want)
			}
		}
	})
}
