package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	for _, component := range []string{"loki", "mimir"} {
		if code, out, stderr := lab(t, "check-files", component, filepath.Join(dir, "not there yet")); code != 0 || out != "The files of "+component+" are whole.\n" {
			t.Errorf("before the first start of %s: exit %d, %q, %q", component, code, out, stderr)
		}
	}
	segment := filepath.Join(dir, "wal", "00000000")
	if err := os.Mkdir(filepath.Dir(segment), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segment, []byte(strings.Repeat("no record", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := lab(t, "check-files", "loki", dir)
	if code != 0 || !strings.Contains(out, segment+".damaged-") || !strings.Contains(out, "lost") {
		t.Errorf("a damaged file: exit %d, %q, %q", code, out, stderr)
	}
	refused(t, "a component and its folder", "check-files", "loki")
	refused(t, "no files of", "check-files", "tempo", dir)
	// A folder that cannot be read is no empty folder: Loki must not start.
	if err := os.RemoveAll(filepath.Dir(segment)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(segment), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := lab(t, "check-files", "loki", dir); code != 1 || stderr == "" {
		t.Errorf("a file in place of the folder: exit %d, %q", code, stderr)
	}
}
