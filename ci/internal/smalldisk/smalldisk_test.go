package smalldisk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newFolder makes a folder with files, one of them in a folder of its own.
func newFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a folder")
	if err := os.MkdirAll(filepath.Join(dir, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "inner", "file"), "before")
	return dir
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(content)
}

// over mounts a disk over the folder. Where that is not allowed the folder must be as it was,
// and there is no more to test.
func over(t *testing.T, dir string) (d *Disk, ok bool) {
	t.Helper()
	unavailable := Available()
	d, err := Over(dir, 1<<20)
	if unavailable == nil && err != nil {
		t.Fatal(err)
	}
	if unavailable != nil {
		if !errors.Is(err, ErrNotHere) || !errors.Is(unavailable, ErrNotHere) || read(t, filepath.Join(dir, "inner", "file")) != "before" {
			t.Errorf("Over() = %v where %v", err, unavailable)
		}
		t.Log(unavailable)
		return nil, false
	}
	t.Cleanup(func() {
		if err := UnmountBelow(filepath.Dir(dir)); err != nil {
			t.Error(err)
		}
	})
	return d, true
}

// A full disk has no room for a page, and takes one when it is freed. What a program makes
// room of is filled, too. At the end the folder has what was on the disk, and no disk.
func TestFullDisk(t *testing.T) {
	dir := newFolder(t)
	d, ok := over(t, dir)
	if !ok {
		return
	}
	file := filepath.Join(dir, "inner", "file")
	if read(t, file) != "before" {
		t.Error("the disk lacks the folder's file")
	}
	write(t, file, "on the disk")
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", 200<<10))
	ctx, cancel := context.WithCancel(t.Context())
	filled := make(chan int64, 1)
	go func() {
		n, err := d.KeepFull(ctx)
		if err != nil {
			t.Error(err)
		}
		filled <- n
	}()
	awaitFull(t, dir)
	if err := os.Remove(filepath.Join(dir, "large")); err != nil {
		t.Fatal(err)
	}
	awaitFull(t, dir)
	cancel()
	if n := <-filled; n < 1<<20 {
		t.Errorf("%d bytes were taken: not what was freed", n)
	}
	if err := d.Free(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "page"), strings.Repeat("x", 4096))
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if read(t, file) != "on the disk" || len(read(t, filepath.Join(dir, "page"))) != 4096 {
		t.Error("the folder has not what was on the disk")
	}
	if err := unmount(dir); err == nil { // would unmount a second one
		t.Error("the disk is still there")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*")); len(left) != 1 {
		t.Errorf("left are %v", left)
	}
}

// A file that is still open for a moment, as those of a killed program, is waited for.
func TestRemoveWaits(t *testing.T) {
	dir := newFolder(t)
	d, ok := over(t, dir)
	if !ok {
		return
	}
	f, err := os.Open(filepath.Join(dir, "inner", "file"))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = f.Close() })
	if err := d.Remove(); err != nil {
		t.Error(err)
	}
}

// awaitFull waits until there is no room for a page.
func awaitFull(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		err := os.WriteFile(filepath.Join(dir, "page"), make([]byte, 4096), 0o644)
		_ = os.Remove(filepath.Join(dir, "page"))
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the disk does not become full: %v", err)
		}
	}
}

// A disk that a killed program has left is taken away, and the folder has its own files again.
func TestUnmountBelow(t *testing.T) {
	dir := newFolder(t)
	if _, ok := over(t, dir); !ok {
		return
	}
	write(t, filepath.Join(dir, "inner", "file"), "on the disk")
	if err := UnmountBelow(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "inner", "file")); got != "before" {
		t.Errorf("the folder has %q", got)
	}
}
