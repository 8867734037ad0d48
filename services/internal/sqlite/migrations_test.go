package sqlite

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Both databases have the same migrations.
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
		if len(here) == 0 || !slices.Equal(here, there) {
			t.Errorf("%s: SQLite has %v, PostgreSQL has %v", dir, here, there)
		}
	}
}
