package sqlite

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// onlyPostgres are migrations that SQLite has no need of: one transaction at a time writes
// there.
var onlyPostgres = []string{"20260102000000_ids_in_order.tx.up.sql"}

// Both databases have the same migrations otherwise.
func TestMigrationsOfPostgres(t *testing.T) {
	for _, dir := range []string{"migrations", "sample"} {
		var here, there []string
		for root, names := range map[string]*[]string{".": &here, filepath.Join("..", "postgres"): &there} {
			found, err := fs.Glob(os.DirFS(filepath.Join(root, dir)), "*.sql")
			if err != nil {
				t.Fatal(err)
			}
			*names = found
		}
		there = slices.DeleteFunc(there, func(name string) bool { return slices.Contains(onlyPostgres, name) })
		if len(here) == 0 || !slices.Equal(here, there) {
			t.Errorf("%s: SQLite has %v, PostgreSQL has %v", dir, here, there)
		}
	}
}
