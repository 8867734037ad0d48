package local

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/smalldisk"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

// temporaryFolders are the folders that are among the system's temporary files.
func temporaryFolders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "lgtm-lab-") {
			names = append(names, e.Name())
		}
	}
	return names
}

// setTempDir gives the test a folder of its own for temporary files.
func setTempDir(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
}

// temporaryTarget is a target whose lab does not come up: the stack fails as told.
func temporaryTarget(t *testing.T, fail func() error) *Target {
	t.Helper()
	setTempDir(t)
	target, err := New(Options{
		Files: checkout.Find, Say: func(line string) { t.Log(line) },
		Stack: func() (*stack.Stack, error) { return nil, fail() },
		Dir:   func() (string, error) { return "", errors.New("the lab of the user's") },
	})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// A temporary lab that is interrupted, or cannot even begin, leaves nothing.
func TestTemporaryLeavesNothing(t *testing.T) {
	target := temporaryTarget(t, func() error { return errors.New("no stack") })
	if _, _, err := target.Temporary(t.Context()); err == nil {
		t.Error("Temporary() succeeded without a stack")
	}
	if left := temporaryFolders(t); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	target = temporaryTarget(t, func() error { cancel(); return nil })
	if _, _, err := target.Temporary(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Temporary() = %v, want context.Canceled", err)
	}
	if left := temporaryFolders(t); len(left) != 0 {
		t.Errorf("left after an interruption: %v", left)
	}
}

// What a killed run has left, its processes included, the next run ends and deletes: if
// the folder is marked, temporary, and its owner dead.
func TestSweep(t *testing.T) {
	l, _ := testLab(t)
	setTempDir(t)
	folder, err := labdir.Temporary()
	if err != nil {
		t.Fatal(err)
	}
	l.cfg.Dir, l.layout.dir = folder.Path, folder.Path
	if err := noteOwner(folder); err != nil {
		t.Fatal(err)
	}
	state, _ := up(t, l)
	kept, err := labdir.Temporary()
	if err != nil {
		t.Fatal(err)
	}
	begun, err := labdir.Temporary() // of a run that has not noted itself yet
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	say := func(line string) { told.WriteString(line + "\n") }
	dead := Process{Name: "lab", PID: os.Getpid(), Start: "an earlier boot 1", Created: 1}

	sweep(t.Context(), say)
	if told.Len() > 0 || len(temporaryFolders(t)) != 3 {
		t.Errorf("while the owner lives: %v, and %s", temporaryFolders(t), told.String())
	}
	for _, f := range []labdir.Folder{folder, kept} {
		if err := setOwner(f, dead); err != nil {
			t.Fatal(err)
		}
	}
	if err := kept.Keep(); err != nil {
		t.Fatal(err)
	}
	sweep(t.Context(), say)
	for _, p := range state.Processes {
		if p.alive() {
			t.Errorf("%s still runs", p.Name)
		}
	}
	for path, want := range map[string]bool{folder.Path: false, kept.Path: true, begun.Path: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", path, err == nil, want)
		}
	}
	if !strings.Contains(told.String(), folder.Path) {
		t.Errorf("told: %s", told.String())
	}
}

// setOwner notes another process as the folder's owner.
func setOwner(folder labdir.Folder, owner Process) error {
	raw, err := json.Marshal(owner)
	if err != nil {
		return err
	}
	return folder.Write(ownerName, raw)
}

// A folder over which a killed `lab chaos` has left a small disk is deleted with it.
func TestDiscardWithDisk(t *testing.T) {
	setTempDir(t)
	folder, err := labdir.Temporary()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(folder.Path, "data", "tempo")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := smalldisk.Over(data, 1<<20); err != nil && !errors.Is(err, smalldisk.ErrNotHere) {
		t.Fatal(err)
	}
	if err := discard(t.Context(), folder, func(line string) { t.Log(line) }); err != nil {
		t.Error(err)
	}
	if left := temporaryFolders(t); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}
