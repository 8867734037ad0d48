package main

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// runCommand runs `backend ARGS` as a process of its own.
func runCommand(t *testing.T, database string, args ...string) (said string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asBackend+"=1", "DATABASE_PATH="+database)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A backup is taken and restored while the backend serves and clients write: what was
// acknowledged before the backup began is there afterwards, and no request fails.
func TestBackupAndRestoreWhileServing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	path, file := filepath.Join(dir, "users.db"), filepath.Join(dir, "users.backup")
	backend := startProcess(t, path)
	base := backend.address(t)
	told := &account{created: map[string]int64{}}
	var before map[string]int64
	var said string
	var err error
	told.writeUntil(base, told.whenThereAre(50), func() {
		told.mu.Lock()
		before = maps.Clone(told.created)
		told.mu.Unlock()
		said, err = runCommand(t, path, "backup", file)
	})
	if err != nil {
		t.Fatalf("backup: %v %s", err, said)
	}
	if said, err := runCommand(t, path, "backup", file); err == nil || !strings.Contains(said, "exists already") {
		t.Errorf("a second backup: %v %s", err, said)
	}
	told.writeUntil(base, time.After(0), func() { said, err = runCommand(t, path, "restore", file) })
	if err != nil || !strings.Contains(said, "restored ") || !strings.Contains(said, "The replaced database has them") {
		t.Fatalf("restore: %v %s", err, said)
	}
	inBackup, found := readUsers(t, file), readUsers(t, path)
	kept := 0
	for email, id := range before {
		if slices.Contains(append(told.deleted, told.deleting...), email) {
			continue // deleted since, perhaps before the backup's process began to read
		}
		kept++
		if inBackup[email] != id || found[email] != id {
			t.Errorf("%s was created with the id %d before the backup began; in the backup the id is %d, in the restored database %d", email, id, inBackup[email], found[email])
		}
	}
	if kept == 0 {
		t.Error("no user was created before the backup: the test cannot fail")
	}
	replaced, err := filepath.Glob(path + ".replaced-*Z")
	if err != nil || len(replaced) != 1 {
		t.Fatalf("the replaced database: %v, %v", replaced, err)
	}
	res, err := http.Get(base + "/ready")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("GET /ready = %v, %v", res, err)
	} else {
		res.Body.Close()
	}
}

// Without a backend, restore exchanges the files by itself. It refuses what is no backup.
func TestRestoreWithoutBackend(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	path, file := filepath.Join(dir, "users.db"), filepath.Join(dir, "users.backup")
	backend := startProcess(t, path)
	told := &account{created: map[string]int64{}}
	told.writeUntil(backend.address(t), told.whenThereAre(20), func() {})
	backend.kill() // the log is still there
	if said, err := runCommand(t, path, "backup", file); err != nil {
		t.Fatalf("backup: %v %s", err, said)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("damaged "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := runCommand(t, path, "restore", path); err == nil || !strings.Contains(said, "not a backup") {
		t.Errorf("restore of a damaged file: %v %s", err, said)
	}
	if said, err := runCommand(t, path, "restore", file); err != nil {
		t.Fatalf("restore: %v %s", err, said)
	}
	told.check(t, path)
	startProcess(t, path).address(t)
}
