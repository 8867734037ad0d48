package labdir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fill makes the named files, and the folders of those whose names end in a slash.
func fill(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var content []byte
		if filepath.Base(name) != "lock" {
			content = []byte("{}")
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var configuration = []string{"config/alloy.alloy", "config/loki.yaml", "config/mimir.yaml", "config/tempo.yaml"}

func TestKinds(t *testing.T) {
	data := []string{"data/alloy/", "data/backend/", "data/loki/", "data/mimir/", "data/tempo/"}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for _, test := range []struct {
		name  string
		files []string
		want  Kind
	}{
		{"nothing", []string{"lab/"}, Empty},
		{"the lock of another lab that begins", []string{"lab/lock"}, Empty},
		{"after a reset", []string{"lab/lock", "lab/last-traffic.json"}, Unmarked},
		{"of Kind", []string{"lab/kind-lgtm-lab.lock", "lab/images/a.tar"}, Unmarked},
		{"a checkout's own name", []string{"lab/../.lab/images/a.tar"}, Unmarked},
		{"images alone", []string{"lab/images/a.tar"}, Foreign},
		{"a website", []string{"lab/images/a.png", "lab/cache/a"}, Foreign},
		{"a lab that runs", join([]string{"lock", "state.json", "bin/backend", "logs/loki.log"}, configuration, data), Unmarked},
		{"with a person's notes", join([]string{"lock", "notes.txt"}, configuration, data), Unmarked},
		{"a person's data", join([]string{"lock", "notes.txt", "data/photos/"}, configuration), Foreign},
		{"a home", []string{"lab/.bashrc", "lab/data/"}, Foreign},
		{"one hidden folder", []string{"lab/.git/"}, Foreign},
	} {
		t.Run(test.name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "lab")
			if test.want == Unmarked && strings.Contains(test.files[0], ".lab") {
				dir = filepath.Join(top, ".lab")
			}
			for _, name := range test.files {
				if !strings.HasPrefix(name, "lab/") {
					name = "lab/" + name
				}
				fill(t, top, name)
			}
			f, kind, err := Inspect(dir)
			if err != nil || kind != test.want {
				t.Fatalf("Inspect() = %d, %v, want %d", kind, err, test.want)
			}
			claimed, err := Claim(dir)
			if test.want == Foreign {
				if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), f.Path) {
					t.Errorf("Claim() = %v, want ErrForeign and the path", err)
				}
				if _, err := os.Stat(filepath.Join(dir, MarkName)); err == nil {
					t.Error("the folder has a mark")
				}
				return
			}
			if err != nil || claimed.ID == "" {
				t.Fatalf("Claim() = %+v, %v", claimed, err)
			}
			if again, kind, err := Inspect(dir); again != claimed || kind != Marked || err != nil {
				t.Errorf("Inspect() after it = %+v, %d, %v, want %+v", again, kind, err, claimed)
			}
			if again, err := Claim(dir); again != claimed || err != nil {
				t.Errorf("a second Claim() = %+v, %v, want %+v", again, err, claimed)
			}
		})
	}
}

func TestClaimMakesTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "some", "where")
	if _, kind, err := Inspect(dir); kind != Absent || err != nil {
		t.Errorf("Inspect() = %d, %v, want absent", kind, err)
	}
	if _, err := Claim(dir); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	fill(t, filepath.Dir(file), "file")
	if _, err := Claim(file); err == nil {
		t.Error("a file was taken for a folder")
	}
	if _, err := Claim(filepath.Join(t.TempDir(), "a\nb")); err == nil || !strings.Contains(err.Error(), "control character") {
		t.Errorf("a name with a line break: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(t.TempDir(), "nowhere"), link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if _, err := Claim(link); err == nil {
		t.Error("a link that leads nowhere was followed")
	}
}

func TestMovedAndCopied(t *testing.T) {
	top := t.TempDir()
	first, moved, backup := filepath.Join(top, "first"), filepath.Join(top, "moved"), filepath.Join(top, "backup")
	f, err := Claim(first)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, first, "state.json", "data/a")
	if err := os.CopyFS(backup, os.DirFS(first)); err != nil {
		t.Fatal(err)
	}
	if _, kind, err := Inspect(backup); kind != Copied || err != nil {
		t.Errorf("the copy is of kind %d, %v", kind, err)
	}
	second, err := Claim(backup)
	if err != nil || second.ID == f.ID {
		t.Errorf("Claim() of the copy = %+v, %v, want another ID than %s", second, err, f.ID)
	}
	if _, err := os.Stat(filepath.Join(backup, "state.json")); err == nil {
		t.Error("the copy still has the state of the first")
	}
	if _, err := os.Stat(filepath.Join(backup, "data", "a")); err != nil {
		t.Error(err)
	}
	if err := os.Rename(first, moved); err != nil {
		t.Fatal(err)
	}
	third, err := Claim(moved)
	if err != nil || third.ID != f.ID {
		t.Errorf("Claim() of the moved folder = %+v, %v, want the ID %s", third, err, f.ID)
	}
	if _, err := os.Stat(filepath.Join(moved, "state.json")); err != nil {
		t.Error(err)
	}
}

func TestRemove(t *testing.T) {
	outside := t.TempDir()
	fill(t, outside, "precious/a", "a")
	f, err := Claim(filepath.Join(t.TempDir(), "lab"))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, f.Path, "data/a", "notes.txt")
	if err := os.Symlink(outside, filepath.Join(f.Path, "logs")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := os.Symlink(filepath.Join(outside, "precious"), filepath.Join(f.Path, "data", "link")); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("logs/precious"); err == nil {
		t.Error("a file was deleted by way of a link that leads out")
	}
	if err := f.Remove(filepath.Join("..", filepath.Base(outside))); err == nil {
		t.Error("a file was deleted outside of the folder")
	}
	if err := f.Remove("data", "logs", "absent"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{
		filepath.Join(f.Path, "data"): false, filepath.Join(f.Path, "logs"): false, filepath.Join(f.Path, "notes.txt"): true,
		filepath.Join(outside, "precious", "a"): true, filepath.Join(outside, "a"): true,
	} {
		if _, err := os.Lstat(name); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", name, err == nil, want)
		}
	}
	if err := f.Discard(); err == nil {
		t.Error("a folder that a person has named was deleted whole")
	}
	if err := os.Remove(filepath.Join(f.Path, MarkName)); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("notes.txt"); err == nil {
		t.Error("a file was deleted in a folder that has lost its mark")
	}
}

func TestTemporary(t *testing.T) {
	top := t.TempDir()
	t.Setenv("TMPDIR", top)
	t.Setenv("TMP", top) // Windows
	f, err := Temporary()
	if err != nil {
		t.Fatal(err)
	}
	// Folders of that name that are not the lab's, or not temporary.
	fill(t, os.TempDir(), "lgtm-lab-mine/a", "lgtm-lab-empty/")
	if _, err := Claim(filepath.Join(os.TempDir(), "lgtm-lab-kept")); err != nil {
		t.Fatal(err)
	}
	if all := Temporaries(); len(all) != 1 || all[0] != f {
		t.Errorf("Temporaries() = %+v, want %+v", all, f)
	}
	fill(t, f.Path, "data/a")
	if err := f.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.Path); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}
