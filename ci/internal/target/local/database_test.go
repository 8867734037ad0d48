package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// The backend's own program backs up and restores, with the lab's database.
func TestDatabaseCommands(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the backend of this test is a shell script")
	}
	dir := filepath.Join(t.TempDir(), "lab")
	lab, err := New(Options{Dir: func() (string, error) { return dir, nil }, Say: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	var backup strings.Builder
	if err := lab.Backup(t.Context(), &backup); !errors.Is(err, target.ErrNotUp) {
		t.Errorf("Backup() = %v without a lab", err)
	}
	if _, err := labdir.Claim(dir); err != nil {
		t.Fatal(err)
	}
	if err := lab.Backup(t.Context(), &backup); !errors.Is(err, target.ErrNotUp) {
		t.Errorf("Backup() = %v of a lab without services", err)
	}
	script := "#!/bin/sh\n[ -e broken ] && { echo 'backend: it is broken' >&2; exit 1; }\necho \"$* $DATABASE_PATH\"\n[ \"$1\" = restore ] && cat\ntrue\n"
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o755), os.WriteFile(layout{dir}.bin(target.Backend), []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
	database := layout{dir}.database()
	if err := lab.Backup(t.Context(), &backup); err != nil || backup.String() != "backup - "+database+"\n" {
		t.Errorf("Backup() wrote %q, %v", backup.String(), err)
	}
	if done, err := lab.Restore(t.Context(), strings.NewReader("users")); err != nil || done != "restore - "+database+"\nusers" {
		t.Errorf("Restore() = %q, %v", done, err)
	}
	write(t, filepath.Join(dir, "broken"), "")
	if _, err := lab.Restore(context.Background(), strings.NewReader("")); err == nil || err.Error() != "it is broken" {
		t.Errorf("Restore() = %v of a backend that fails", err)
	}
}
