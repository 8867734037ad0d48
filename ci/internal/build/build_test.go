package build

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// checkout is this one.
var checkout = filepath.Join("..", "..", "..")

// TestKoConfig holds .ko.yaml to the image lock: both say what the base is and
// which Go compiles.
func TestKoConfig(t *testing.T) {
	lock, err := images.Load(filepath.Join(checkout, "config", "images.json"))
	if err != nil {
		t.Fatal(err)
	}
	base, err := lock.Get(images.Base)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(checkout, ".ko.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^defaultBaseImage: (\S+)$`).FindSubmatch(data)
	if m == nil || string(m[1]) != base.Reference() {
		t.Errorf(".ko.yaml has the base %q, the lock %q", m, base.Reference())
	}
	golang, err := lock.Get(images.Golang)
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(golang.Tag, "-")
	got, err := pinnedToolchain(checkout)
	if err != nil || got != "go"+version {
		t.Errorf(".ko.yaml has GOTOOLCHAIN=%s (%v), the lock's golang image has go%s", got, err, version)
	}
}

func TestPinnedToolchainMissing(t *testing.T) {
	dir := t.TempDir()
	if _, err := pinnedToolchain(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("pinnedToolchain() = %v without a .ko.yaml", err)
	}
	write(t, filepath.Join(dir, ".ko.yaml"), "defaultEnv:\n  - GOTOOLCHAIN=auto\n")
	if v, err := pinnedToolchain(dir); err == nil {
		t.Errorf("pinnedToolchain() = %q for auto", v)
	}
}

func TestBuildRefusesOptions(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"nothing", Options{}, "must be given"},
		{"no output", Options{Root: checkout}, "must be given"},
		{"platform", Options{Root: checkout, Out: "x", Platforms: []string{"amd64"}}, "os/architecture"},
		{"base without a digest", Options{Root: checkout, Out: "x", Base: "gcr.io/distroless/static:nonroot"}, "digest"},
		{"base that is not there", Options{Root: checkout, Out: "x", Base: "./absent"}, "digest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.o.Out != "" {
				tt.o.Out = filepath.Join(t.TempDir(), "out")
			}
			if _, err := Build(t.Context(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Build() = %v, want %q in it", err, tt.want)
			}
			if tt.o.Out != "" {
				if _, err := os.Stat(tt.o.Out); err == nil {
					t.Error("Build() made the output directory all the same")
				}
			}
		})
	}
}

func TestRead(t *testing.T) {
	write3 := func(t *testing.T, change func(list []map[string]any) []map[string]any) string {
		t.Helper()
		dir := t.TempDir()
		var list []map[string]any
		for _, name := range Names() {
			write(t, filepath.Join(dir, name+".oci.tar"), "123")
			write(t, filepath.Join(dir, name+".tar"), "12345")
			list = append(list, map[string]any{
				"name": name, "digest": "sha256:1", "archive": name + ".oci.tar", "archive_bytes": 3, "tarball": name + ".tar", "tarball_bytes": 5,
			})
		}
		data, err := json.Marshal(map[string]any{"images": change(list)})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, DigestsFile), string(data))
		return dir
	}
	whole := func(list []map[string]any) []map[string]any { return list }

	dir := write3(t, whole)
	got, err := Read(dir)
	if err != nil || len(got) != 3 || got[1].Name != "backend" || got[1].Tarball != filepath.Join(dir, "backend.tar") {
		t.Errorf("Read() = %+v, %v", got, err)
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read(empty) = %v, want fs.ErrNotExist", err)
	}
	broken := []struct {
		name   string
		change func([]map[string]any) []map[string]any
		want   string
	}{
		{"an image is missing", func(l []map[string]any) []map[string]any { return l[:2] }, "lab is missing"},
		{"an archive is cut short", func(l []map[string]any) []map[string]any { l[0]["archive_bytes"] = 4; return l }, "3 bytes, not 4"},
		{"a tarball is gone", func(l []map[string]any) []map[string]any { l[2]["tarball"] = "x.tar"; return l }, "x.tar"},
	}
	for _, tt := range broken {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Read(write3(t, tt.change)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read() = %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	image := func(name, digest string, platforms ...string) Image {
		img := Image{Name: name, Digest: digest}
		for _, p := range platforms {
			platform, digest, _ := strings.Cut(p, "=")
			img.Platforms = append(img.Platforms, Platform{Platform: platform, Digest: digest})
		}
		return img
	}
	first := []Image{image("frontend", "f", "linux/amd64=fa", "linux/arm64=fb"), image("lab", "l", "linux/amd64=la")}
	if diff := Compare(first, first); len(diff) != 0 {
		t.Errorf("Compare(same) = %v", diff)
	}
	second := []Image{image("frontend", "F", "linux/amd64=fa", "linux/arm64=FB"), image("backend", "b")}
	var got []string
	for _, d := range Compare(first, second) {
		got = append(got, d.String())
	}
	want := []string{
		"backend: first none, then b",
		"frontend: first f, then F",
		"frontend linux/arm64: first fb, then FB",
		"lab: first l, then none",
		"lab linux/amd64: first la, then none",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("Compare() = %q, want %q", got, want)
	}
}

func TestFollower(t *testing.T) {
	follow := func(output string, tell func(string)) *follower {
		f := newFollower(tell)
		for line := range strings.Lines(output) {
			f.line(strings.TrimSuffix(line, "\n"))
		}
		f.stop()
		return f
	}
	var told []string
	out := follow("go: downloading x\nbuilder: building for linux/amd64\nWriting SBOM to x\nBuilding y\nerror: y: go build\nmain.go:1: broken\nexit status 1\n",
		func(line string) { told = append(told, line) })
	if got, want := strings.Join(told, "|"), "building for linux/amd64|Building y"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if !out.started {
		t.Error("the builder's first line was not seen")
	}
	if got, want := out.tail(), "y: go build\nmain.go:1: broken"; got != want {
		t.Errorf("tail() = %q, want %q", got, want)
	}
	if out := follow("main.go:1: broken\n", nil); out.started || out.tail() != "main.go:1: broken" {
		t.Errorf("a builder that does not compile: %+v", out)
	}
}

func TestCopyCheckout(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	for _, file := range []string{"go.mod", ".ko.yaml", "ci/lab/main.go", ".git/HEAD", ".lab/state.json", "services/.git-is-no-history"} {
		write(t, filepath.Join(from, filepath.FromSlash(file)), file)
	}
	if err := copyCheckout(to, from); err != nil {
		t.Fatalf("copyCheckout() = %v", err)
	}
	var got []string
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(to, path)
			got = append(got, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(got, " "), ".ko.yaml ci/lab/main.go go.mod services/.git-is-no-history"; got != want {
		t.Errorf("copied %s, want %s", got, want)
	}
}

// write makes a file and the directories above it.
func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
