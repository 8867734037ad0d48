package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// contents are the files below a folder, with what is in them.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			all[path] = ""
			return err
		}
		raw, err := os.ReadFile(path)
		all[path] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A folder that lab has not made is left as it is, and Up and Reset say so.
func TestForeignFolder(t *testing.T) {
	for name, files := range map[string][]string{
		"a home":                 {"notes.txt", "data/photos/a.jpg", "logs/a.log", "bin/tool", "config/app.yaml"},
		"a checkout":             {"go.mod", "config/alloy/config.alloy", "config/images.json", "docs/index.md"},
		"another program's data": {"data/a", "config/a"},
		"one hidden file":        {".gitconfig"},
		"a lock and data":        {"lock", "data/a"},
		"a state of its own":     {"state.json", "config/app.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range files {
				write(t, filepath.Join(dir, file), "a person's own")
			}
			before := contents(t, dir)
			l := Open(Config{Files: smallCheckout(t), Dir: dir, Programs: func(context.Context) (map[string]Program, error) {
				t.Error("Up goes on to the programs")
				return nil, errors.New("none")
			}})
			_, _, err := l.Up(t.Context())
			if !errors.Is(err, labdir.ErrForeign) {
				t.Errorf("Up() = %v, want ErrForeign", err)
			}
			if _, err := l.Reset(t.Context()); !errors.Is(err, labdir.ErrForeign) {
				t.Errorf("Reset() = %v, want ErrForeign", err)
			}
			if _, err := l.Down(t.Context()); !errors.Is(err, ErrNotUp) {
				t.Errorf("Down() = %v, want ErrNotUp", err)
			}
			if _, err := l.State(); !errors.Is(err, ErrNotUp) {
				t.Errorf("State() = %v, want ErrNotUp", err)
			}
			after := contents(t, dir)
			for file, content := range before {
				if got, ok := after[file]; !ok || got != content {
					t.Errorf("%s was changed or deleted", file)
				}
			}
			if len(after) != len(before) {
				t.Errorf("files have been added: %v", after)
			}
		})
	}
}

// olderFolder makes a folder as a version of the lab did that did not mark it.
func olderFolder(t *testing.T, l *Lab) {
	t.Helper()
	dir := l.cfg.Dir
	for _, name := range []string{"alloy.alloy", "loki.yaml", "mimir.yaml", "tempo.yaml"} {
		write(t, filepath.Join(dir, "config", name), "older")
	}
	for _, name := range order {
		write(t, filepath.Join(dir, "data", name, "block"), "stored")
	}
	write(t, filepath.Join(dir, "bin", "backend"), "older")
	write(t, filepath.Join(dir, "logs", "loki.log"), "older")
	write(t, filepath.Join(dir, "lock"), "")
}

// The folder of a lab of an earlier version, also with what a person has put there, is
// taken over with its data.
func TestUnmarkedFolder(t *testing.T) {
	for name, change := range map[string]func(l *Lab) error{
		"as it was":   func(*Lab) error { return nil },
		"with notes":  func(l *Lab) error { return os.WriteFile(filepath.Join(l.cfg.Dir, "notes.txt"), nil, 0o644) },
		"with images": func(l *Lab) error { return os.Mkdir(filepath.Join(l.cfg.Dir, "images"), 0o755) },
		"of Kind":     func(l *Lab) error { return os.WriteFile(filepath.Join(l.cfg.Dir, "kind-lgtm-lab.lock"), nil, 0o644) },
		"with a last report": func(l *Lab) error {
			return os.WriteFile(filepath.Join(l.cfg.Dir, "last-traffic.json"), []byte("{}"), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			l := Open(Config{Dir: filepath.Join(dir, "lab")})
			olderFolder(t, l)
			if err := change(l); err != nil {
				t.Fatal(err)
			}
			freed, err := l.Reset(t.Context())
			if err != nil || freed < int64(len(order)*len("stored")) {
				t.Errorf("Reset() = %d, %v", freed, err)
			}
			if _, err := os.Stat(l.layout.data("loki")); !os.IsNotExist(err) {
				t.Errorf("the data is still there: %v", err)
			}
			if _, kind, err := labdir.Inspect(l.cfg.Dir); kind != labdir.Marked || err != nil {
				t.Errorf("after Reset the folder is of kind %d, %v, want marked", kind, err)
			}
		})
	}
}

func TestUpInAnUnmarkedFolder(t *testing.T) {
	l, _ := testLab(t)
	olderFolder(t, l)
	up(t, l)
	if _, err := os.Stat(filepath.Join(l.layout.data("loki"), "block")); err != nil {
		t.Errorf("the data of the earlier version is gone: %v", err)
	}
}

// A state of the version before tells processes by the time of their start alone.
func TestStateOfAnEarlierVersion(t *testing.T) {
	l, _ := testLab(t)
	state, _ := up(t, l)
	for i := range state.Processes {
		state.Processes[i].Start = ""
	}
	if err := state.write(l.folder); err != nil {
		t.Fatal(err)
	}
	if _, started := up(t, l); len(started) != 0 {
		t.Errorf("Up started %v, want nothing", started)
	}
	if stopped, err := l.Down(t.Context()); len(stopped) != 6 || err != nil {
		t.Errorf("Down() = %v, %v, want all six", stopped, err)
	}
}

// What runs, and is noted in a copied folder too, belongs to the folder that was copied.
func TestCopiedFolder(t *testing.T) {
	l, _ := testLab(t)
	state, _ := up(t, l)
	backup := filepath.Join(filepath.Dir(l.cfg.Dir), "backup")
	if err := os.CopyFS(backup, os.DirFS(l.cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	second := Open(Config{Dir: backup})
	if _, err := second.State(); !errors.Is(err, ErrNotUp) {
		t.Errorf("State() of the copy = %v, want ErrNotUp", err)
	}
	if _, err := second.Down(t.Context()); !errors.Is(err, ErrNotUp) {
		t.Errorf("Down() of the copy = %v, want ErrNotUp", err)
	}
	if freed, err := second.Reset(t.Context()); freed == 0 || err != nil {
		t.Errorf("Reset() of the copy = %d, %v", freed, err)
	}
	for _, p := range state.Processes {
		if !p.alive() {
			t.Errorf("%s of the lab that was copied was ended", p.Name)
		}
	}
	if n := len(left(l)); n != 6 {
		t.Errorf("%d processes are recognised as the first lab's, want 6", n)
	}
}

// A lab goes on in a folder that was renamed, and is found there.
func TestMovedFolder(t *testing.T) {
	l, _ := testLab(t)
	up(t, l)
	moved := filepath.Join(filepath.Dir(l.cfg.Dir), "moved")
	if err := os.Rename(l.cfg.Dir, moved); err != nil {
		t.Fatal(err)
	}
	second := Open(Config{Dir: moved})
	if _, err := second.State(); err != nil {
		t.Errorf("State() = %v", err)
	}
	if err := os.Remove(second.layout.state()); err != nil {
		t.Fatal(err)
	}
	if stopped, err := second.Down(t.Context()); len(stopped) != 6 || err != nil {
		t.Errorf("Down() = %v, %v, want all six", stopped, err)
	}
}

// Nothing outside of the lab's folder is written or deleted by way of a link in it.
func TestLinksThatLeadOut(t *testing.T) {
	for _, name := range []string{"config", "config/rules", "config/dashboards", "config/loki.yaml", "data", "data/loki", "bin", "bin/new", "logs", "tmp", "tmp/alloy"} {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			outside := t.TempDir()
			for _, file := range []string{"anonymous/a.yaml", "rules/anonymous/a.yaml", "dashboards/a.json", "loki.yaml", "loki/chunk", "backend.old", "loki.log"} {
				write(t, filepath.Join(outside, file), "a person's own")
			}
			before := contents(t, outside)
			l := Open(Config{Files: smallCheckout(t), Dir: filepath.Join(t.TempDir(), "lab"), Programs: func(context.Context) (map[string]Program, error) { return nil, nil }})
			folder, err := labdir.Claim(l.cfg.Dir)
			if err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(folder.Path, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			to := outside
			if filepath.Ext(name) != "" {
				to = filepath.Join(outside, filepath.Base(name))
			}
			if err := os.Symlink(to, link); err != nil {
				t.Skipf("no symbolic links here: %v", err)
			}
			if err := l.layout.create(folder, l.cfg.Files, true, false); err == nil && name != "config/dashboards" { // which is made anew
				t.Error("create() follows the link out of the folder")
			}
			if _, err := l.Reset(t.Context()); err != nil {
				t.Errorf("Reset() = %v", err)
			}
			if after := contents(t, outside); !mapsEqual(before, after) {
				t.Errorf("outside there is now %v", after)
			}
		})
	}
}

func mapsEqual(a, b map[string]string) bool {
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return len(a) == len(b)
}

// However a folder is reached, it holds one lab.
func TestLinkedFolder(t *testing.T) {
	l, _ := testLab(t)
	link := filepath.Join(filepath.Dir(l.cfg.Dir), "link")
	if err := os.Symlink(l.cfg.Dir, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	up(t, l)
	cfg := l.cfg
	cfg.Dir = link
	if _, started, err := Open(cfg).Up(t.Context()); err != nil || len(started) != 0 {
		t.Errorf("Up() by way of the link started %v, %v", started, err)
	}
}

// A damaged mark says that something is wrong, and not that the folder is anybody's.
func TestDamagedMark(t *testing.T) {
	l := Open(Config{Files: smallCheckout(t), Dir: t.TempDir()})
	write(t, filepath.Join(l.cfg.Dir, labdir.MarkName), "{")
	write(t, filepath.Join(l.cfg.Dir, "data", "a"), "stored")
	if _, err := l.Reset(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Reset() = %v, want an error that says damaged", err)
	}
	if _, err := os.Stat(filepath.Join(l.cfg.Dir, "data", "a")); err != nil {
		t.Error(err)
	}
}
