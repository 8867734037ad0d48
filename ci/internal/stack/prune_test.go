package stack

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// inCache makes a directory of the cache that looks like a program of a size.
func (f *fixture) inCache(t *testing.T, dir string, size int) string {
	t.Helper()
	dir = filepath.Join(f.cache, filepath.FromSlash(dir))
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{descriptor: "", "loki": strings.Repeat("x", size)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func dirsOf(all []Old) []string {
	var dirs []string
	for _, o := range all {
		dirs = append(dirs, o.Dir)
	}
	slices.Sort(dirs)
	return dirs
}

func TestPrune(t *testing.T) {
	f := newFixture(t)
	set := mustResolve(t, f)
	compiled, _ := set.Program("loki")
	img, err := f.lock.Get(images.Loki)
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.TrimPrefix(img.Digest, "sha256:")
	other := strings.Repeat("9", 64)
	wanted := []string{
		filepath.Dir(compiled.Path),
		f.inCache(t, "images/loki-"+digest+"-"+runtime.GOARCH, 1),
		f.inCache(t, "images/loki-"+digest+"-s390x", 1), // a cache that two machines share
		f.inCache(t, "source/lokinator-1-2", 1),         // not ours
		f.inCache(t, "blobs/notes", 1),
	}
	old := []string{
		f.inCache(t, "images/loki-"+other+"-"+runtime.GOARCH, 200),
		f.inCache(t, "source/loki-1.2.2-0123456789abcdef", 1000),
		f.inCache(t, "source/loki-1.2.3-0123456789abcdef", 30), // the same release by another Go
	}
	slices.Sort(old)
	s := f.stack(t)
	found, err := s.Old(t.Context())
	if err != nil || !slices.Equal(dirsOf(found), old) {
		t.Fatalf("Old() = %v, %v, want %v", dirsOf(found), err, old)
	}
	var bytes int64
	for _, o := range found {
		if bytes += o.Bytes; len(o.Users) > 0 {
			t.Errorf("%s is in use by %v", o.Dir, o.Users)
		}
	}
	if bytes != 1230 {
		t.Errorf("Old() has %d bytes, want 1230", bytes)
	}
	deleted, kept, err := s.Prune(t.Context())
	if err != nil || !slices.Equal(dirsOf(deleted), old) || len(kept) > 0 {
		t.Errorf("Prune() = %v, %v, %v, want %v deleted", dirsOf(deleted), dirsOf(kept), err, old)
	}
	for _, dir := range old {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
	for _, dir := range wanted {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("deleted what is wanted: %v", err)
		}
	}
	if again, err := s.Old(t.Context()); err != nil || len(again) > 0 {
		t.Errorf("Old() after Prune = %v, %v", again, err)
	}
	f.progress = func(e Event) { t.Errorf("what is current was deleted: %+v", e) }
	mustResolve(t, f)
}

// TestRunsUntilStdinEnds is the program that the test below runs; by itself it does
// nothing.
func TestRunsUntilStdinEnds(*testing.T) {
	if os.Getenv("LAB_TEST_RUNS") == "" {
		return
	}
	fmt.Println("runs")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// What is killed cleans nothing up: a compile leaves a gigabyte in tmp, a download
// its layers. prune knows both, unless somebody is at work with them.
func TestPruneDeletesWhatWasKilled(t *testing.T) {
	f := newFixture(t)
	mustResolve(t, f)
	work := f.inCache(t, "tmp/loki-0123", 1000)
	former := f.inCache(t, "blobs/loki", 10)
	layer := filepath.Join(f.cache, "blobs", "sha256-"+strings.Repeat("1", 64)+".partial")
	if err := os.WriteFile(layer, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := f.stack(t)
	release, err := filelock.Acquire(t.Context(), s.lockFile("loki"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if deleted, _, err := s.Prune(t.Context()); err != nil || !slices.Equal(dirsOf(deleted), []string{layer}) {
		t.Errorf("Prune() while loki is being compiled = %v, %v, want the layer alone", dirsOf(deleted), err)
	}
	release()
	if deleted, _, err := s.Prune(t.Context()); err != nil || !slices.Equal(dirsOf(deleted), []string{former, work}) {
		t.Errorf("Prune() = %v, %v, want %s and %s", dirsOf(deleted), err, former, work)
	}
	for _, name := range []string{work, former, layer} {
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

// A compile can hold the lock for a quarter of an hour: whoever waits for it is told.
func TestPruneSaysThatItWaits(t *testing.T) {
	f := newFixture(t)
	f.inCache(t, "source/loki-1.2.2-0123456789abcdef", 1)
	s := f.stack(t)
	unlock, err := s.lock(t.Context(), "loki", nil)
	if err != nil {
		t.Fatal(err)
	}
	var said []Phase
	s.cfg.Progress = func(e Event) {
		said = append(said, e.Phase)
		unlock()
	}
	if deleted, _, err := s.Prune(t.Context()); err != nil || len(deleted) != 1 {
		t.Errorf("Prune() = %v, %v", deleted, err)
	}
	if !slices.Equal(said, []Phase{PhaseWaiting}) {
		t.Errorf("said %q, want that it waits", said)
	}
}

func TestPruneKeepsWhatRuns(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]func(program string) *exec.Cmd{
		"by itself": func(program string) *exec.Cmd {
			cmd := exec.Command(program, "-test.run=^TestRunsUntilStdinEnds$")
			cmd.Args[0] = "loki" // what a process calls itself need not be its file
			return cmd
		},
		// As an argument, as a program out of an image is one of its loader.
		"by a loader": func(program string) *exec.Cmd {
			return exec.Command(self, "-test.run=^TestRunsUntilStdinEnds$", "-test.v=false", "--", program)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			dir := f.inCache(t, "source/loki-1.2.2-0123456789abcdef", 1)
			program := filepath.Join(dir, "loki")
			if err := os.WriteFile(program, content, 0o755); err != nil {
				t.Fatal(err)
			}
			running := command(program)
			running.Env = append(os.Environ(), "LAB_TEST_RUNS=1")
			stdin, err := running.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := running.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := running.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := stdout.Read(make([]byte, 4)); err != nil {
				t.Fatal(err)
			}
			s := f.stack(t)
			deleted, kept, err := s.Prune(t.Context())
			want := fmt.Sprintf("loki (process %d)", running.Process.Pid)
			if err != nil || len(deleted) > 0 || len(kept) != 1 || !slices.Equal(kept[0].Users, []string{want}) {
				t.Errorf("Prune() = %+v, %+v, %v, want %s kept for %s", deleted, kept, err, dir, want)
			}
			if _, err := os.Stat(program); err != nil {
				t.Errorf("deleted under a running program: %v", err)
			}
			if err := stdin.Close(); err != nil {
				t.Error(err)
			}
			if err := running.Wait(); err != nil {
				t.Error(err)
			}
			if deleted, _, err := s.Prune(t.Context()); err != nil || len(deleted) != 1 {
				t.Errorf("Prune() after it has ended = %v, %v", deleted, err)
			}
		})
	}
}
