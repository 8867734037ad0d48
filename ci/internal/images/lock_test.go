package images

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// checkedIn is the lock of this checkout.
var checkedIn = filepath.Join("..", "..", "..", "config", "images.json")

func TestCheckedInLock(t *testing.T) {
	lock, err := Load(checkedIn)
	if err != nil {
		t.Fatalf("Load() = %v", err)
	}
	for _, name := range Names() {
		img, err := lock.Get(name)
		if err != nil {
			t.Errorf("Get(%q) = %v", name, err)
			continue
		}
		if img.Name != name || img.Reference() != lock.entries[name] {
			t.Errorf("Get(%q) = %+v, which is not what the file says: %s", name, img, lock.entries[name])
		}
	}
	// A digest copied to a second entry is the likeliest slip of the pen.
	seen := map[string]string{}
	for _, name := range lock.Names() {
		img, _ := lock.Get(name)
		if other, ok := seen[img.Digest]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[img.Digest] = name
	}
}

func TestGetParts(t *testing.T) {
	lock := lockWith(t, map[string]string{
		Loki: "localhost:5000/mirror/loki:3.7.7@sha256:" + strings.Repeat("a", 64),
	})
	got, err := lock.Get(Loki)
	if err != nil {
		t.Fatalf("Get() = %v", err)
	}
	want := Image{Name: Loki, Repository: "localhost:5000/mirror/loki", Tag: "3.7.7", Digest: "sha256:" + strings.Repeat("a", 64)}
	if got != want {
		t.Errorf("Get() = %+v, want %+v", got, want)
	}
	if got, want := got.Pinned(), "localhost:5000/mirror/loki@sha256:"+strings.Repeat("a", 64); got != want {
		t.Errorf("Pinned() = %s, want %s", got, want)
	}
	if _, err := lock.Get("prometheus"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "prometheus") {
		t.Errorf("Get(prometheus) = %v, want ErrUnknown and the name", err)
	}
}

func TestValidateNamesTheEntry(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	tests := []struct {
		name  string
		entry string
		ref   string
		want  string
	}{
		{"tag only", Tempo, "grafana/tempo:2.9.0", "not pinned"},
		{"digest only", Tempo, "grafana/tempo" + digest, "no tag"},
		{"port is no tag", Tempo, "localhost:5000/tempo" + digest, "no tag"},
		{"latest", Mimir, "grafana/mimir:latest" + digest, "latest"},
		{"short digest", Alloy, "grafana/alloy:v1@sha256:abc", "malformed"},
		{"other hash", Alloy, "grafana/alloy:v1@sha512:" + strings.Repeat("0", 128), "sha256"},
		{"upper-case digest", Alloy, "grafana/alloy:v1@sha256:" + strings.Repeat("A", 64), "malformed"},
		{"second digest", Alloy, "grafana/alloy:v1" + digest + digest, "malformed"},
		{"upper-case repository", Node, "Kind/Node:v1" + digest, "malformed"},
		{"empty", Grafana, "", "not pinned"},
		{"space", Grafana, "grafana/grafana:13.1.3 " + digest, "malformed"},
		{"unknown name", "promtail", "grafana/promtail:1" + digest, "unknown name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := lockWith(t, map[string]string{tt.entry: tt.ref}).Validate()
			if err == nil {
				t.Fatalf("Validate() accepts %q", tt.ref)
			}
			if msg := err.Error(); !strings.Contains(msg, tt.want) || !strings.Contains(msg, `"`+tt.entry+`"`) {
				t.Errorf("Validate() = %v, want %q and the entry's name in it", err, tt.want)
			}
		})
	}
}

func TestValidateMissing(t *testing.T) {
	lock := lockWith(t, nil)
	delete(lock.entries, Grafana)
	delete(lock.entries, Node)
	err := lock.Validate()
	for _, name := range []string{Grafana, Node} {
		if err == nil || !strings.Contains(err.Error(), `"`+name+`": missing`) {
			t.Errorf("Validate() = %v, want both missing entries in it", err)
		}
	}
}

func TestLoadRefusesMalformedFiles(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"not JSON", `images:`, "invalid character"},
		{"no images", `{"about": "x"}`, `no "images"`},
		{"a list", `{"images": ["loki"]}`, "not an object"},
		{"a number", `{"images": {"loki": 7}}`, `"loki"`},
		{"twice", `{"images": {"loki": "a", "loki": "b"}}`, `"loki" is there twice`},
		{"misspelt member", `{"image": {}}`, "unknown field"},
		{"trailing data", `{"images": {}} {}`, "follows"},
		{"too large", `{"images": {}}` + strings.Repeat(" ", maxLockSize), "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := LoadFS(fstest.MapFS{"lock.json": {Data: []byte(tt.file)}}, "lock.json")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "lock.json") {
				t.Errorf("LoadFS() = %v, want %q and the file's name in it", err, tt.want)
			}
		})
	}
}

// A person who gave a path is told all of it.
func TestLoadNamesTheWholePath(t *testing.T) {
	dir := t.TempDir()
	absent, broken, unpinned := filepath.Join(dir, "absent.json"), filepath.Join(dir, "broken.json"), filepath.Join(dir, "unpinned.json")
	for file, content := range map[string]string{broken: "images:", unpinned: `{"images": {"loki": "grafana/loki:3.7.7"}}`} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{absent, broken, unpinned} {
		if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("Load() = %v, want %s in it", err, file)
		}
	}
	if _, err := Load(absent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load(absent) = %v, want fs.ErrNotExist", err)
	}
}

// lockWith is a valid lock with some entries replaced or added.
func lockWith(t *testing.T, changes map[string]string) Lock {
	t.Helper()
	all := map[string]string{}
	for _, name := range Names() {
		all[name] = "example/" + name + ":1@sha256:" + strings.Repeat("1", 64)
	}
	maps.Copy(all, changes)
	data, err := json.Marshal(map[string]any{"images": all})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}
