package filelock

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// holdEnv makes the test's program a process that holds the lock of a file until
// it is killed.
const holdEnv = "LAB_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		if _, err := Acquire(context.Background(), path, nil); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	os.Exit(m.Run())
}

func acquired(t *testing.T, path string) (release func()) {
	t.Helper()
	release, err := Acquire(t.Context(), path, func() { t.Errorf("%s is held by somebody else", path) })
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestOneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "to", "be", "made", "lock")
	var holders, most int
	var mu sync.Mutex
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		holders += by
		most = max(most, holders)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			release, err := Acquire(t.Context(), path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			count(1)
			time.Sleep(2 * poll)
			count(-1)
			release()
			release() // does nothing
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d held the lock at a time, want 1", most)
	}
}

func TestTryDoesNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, ok, err := Try(path)
	if !ok || err != nil {
		t.Fatalf("Try() of a free lock = %v, %v", ok, err)
	}
	if _, ok, err := Try(path); ok || err != nil {
		t.Errorf("Try() of a lock that is held = %v, %v", ok, err)
	}
	release()
	release, ok, err = Try(path)
	if !ok || err != nil {
		t.Fatalf("Try() after the release = %v, %v", ok, err)
	}
	release()
}

func TestWaitingIsToldOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release := acquired(t, path)
	told := 0
	second, err := Acquire(t.Context(), path, func() {
		told++
		time.AfterFunc(3*poll, release)
	})
	if err != nil {
		t.Fatal(err)
	}
	second()
	if told != 1 {
		t.Errorf("told %d times to wait, want once", told)
	}
}

func TestAnEndedContextIsTheCause(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cause := errors.New("somebody pressed Ctrl-C")
	check := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one with %q and %s", err, cause, path)
		}
	}
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := Acquire(ctx, path, nil)
		check(t, err)
	})
	t.Run("while it waits", func(t *testing.T) {
		defer acquired(t, path)()
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := Acquire(ctx, path, func() { cancel(cause) })
		check(t, err)
	})
}

func TestAKilledHolderLeavesNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	told := false
	release, err := Acquire(t.Context(), path, func() {
		told = true
		if err := holder.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = holder.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
	release()
	if !told {
		t.Error("the lock was free while another process held it")
	}
}

// Whoever waits when a holder removes the file must not end up with a lock on a
// file that nobody else can find.
func TestARemovedLockFileIsNotTheLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no file that is open")
	}
	path := filepath.Join(t.TempDir(), "folder", "lock")
	first := acquired(t, path)
	defer first()
	removed := false
	second, err := Acquire(t.Context(), path, func() {
		removed = true
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer second()
	if !removed {
		t.Fatal("the second did not wait for the first")
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Acquire(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a third holds the lock beside the second: %v", err)
	}
}

// TestCurrent is the race that no test can time: the file is opened, removed by
// its holder, and only then locked.
func TestCurrent(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no file that is open")
	}
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := try(path)
	if lock == nil || err != nil {
		t.Fatal(lock, err)
	}
	defer func() { _ = lock.Unlock() }()
	if !current(lock) {
		t.Error("the file at the path is not taken for the locked one")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if current(lock) {
		t.Error("a removed file is taken for the lock")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if current(lock) {
		t.Error("another file at the path is taken for the lock")
	}
}

func TestAFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(file, "lock")
	if _, err := Acquire(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names %s", err, path)
	}
}
