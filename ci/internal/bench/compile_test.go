package bench

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCompileTime(t *testing.T) {
	cache := t.TempDir()
	note := func(name, content string) {
		dir := filepath.Join(cache, "source", name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "program.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	note("loki-3.7.7-3c133506", `{"version":"3.7.7"}`)
	if _, _, err := compileTime(t.Context(), Options{Cache: cache}); err == nil {
		t.Error("no compile is noted, and that is no skip")
	}
	note("alloy-v1.19.2-da92a078", `{"lean":true,"compile_seconds":400,"compiled_packages":90,"packages":100}`)
	note("tempo-2.9.0-0b56a6e1", `{"compile_seconds":200,"compiled_packages":7,"packages":7}`)
	rows, _, err := compileTime(t.Context(), Options{Cache: cache})
	if err != nil || len(rows) != 3 || rows[0].Median != 600 || rows[1].Name != "alloy-v1.19.2, lean, 90 of its 100 packages" || rows[2].Name != "tempo-2.9.0, 7 of its 7 packages" {
		t.Errorf("the rows are %v, %v", rows, err)
	}
}
