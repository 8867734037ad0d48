package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// linux is an image without layers for one processor.
func linux(t *testing.T, arch string) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func index(t *testing.T, archs ...string) v1.ImageIndex {
	t.Helper()
	out := v1.ImageIndex(empty.Index)
	for _, arch := range archs {
		out = mutate.AppendManifests(out, mutate.IndexAddendum{
			Add: linux(t, arch), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return out
}

func TestOpenBaseLayout(t *testing.T) {
	both := index(t, "amd64", "arm64")
	digest, err := both.Digest()
	if err != nil {
		t.Fatal(err)
	}
	inside := t.TempDir() // an index in a layout, as ko and crane write it
	path, err := layout.Write(inside, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(both); err != nil {
		t.Fatal(err)
	}
	flat := t.TempDir() // the platforms side by side, as others do
	if _, err := layout.Write(flat, both); err != nil {
		t.Fatal(err)
	}
	single := t.TempDir()
	if path, err = layout.Write(single, empty.Index); err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(linux(t, "arm64")); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "saved.tar") // as docker save writes it
	tag, err := name.NewTag("registry.example/static:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(saved, tag, linux(t, "amd64")); err != nil {
		t.Fatal(err)
	}
	const elsewhere = "registry.example/static@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	locked := "registry.example/static:1@" + digest.String()
	tests := []struct {
		name, source, configured string
		platforms                string
		ref                      string // of the base, or
		err                      string
	}{
		{name: "index", source: inside, configured: elsewhere, platforms: "linux/amd64,linux/arm64", ref: "oci-layout.invalid/base@" + digest.String()},
		{name: "platforms", source: flat, configured: elsewhere, platforms: "linux/arm64", ref: "oci-layout.invalid/base@" + digest.String()},
		{name: "tar", source: pack(t, inside), configured: elsewhere, platforms: "linux/arm64", ref: "oci-layout.invalid/base@" + digest.String()},
		{name: "what .ko.yaml names", source: inside, configured: locked, platforms: "linux/arm64/v8", ref: "registry.example/static@" + digest.String()},
		{name: "single", source: single, configured: elsewhere, platforms: "linux/arm64", ref: "oci-layout.invalid/base@sha256:"},
		{name: "missing platform", source: single, configured: elsewhere, platforms: "linux/arm64,linux/amd64", err: "none for linux/amd64, only for linux/arm64"},
		{name: "no layout", source: t.TempDir(), configured: elsewhere, platforms: "linux/amd64", err: "not an OCI layout"},
		{name: "docker's format", source: saved, configured: elsewhere, platforms: "linux/amd64", err: "`lab images pull base` makes one"},
		{name: "nothing", source: "absent", configured: elsewhere, platforms: "linux/amd64", err: "neither an OCI layout"},
		{name: "tag", source: "registry.example/static:1", configured: elsewhere, platforms: "linux/amd64", err: "neither an OCI layout"},
		{name: "unpinned in .ko.yaml", source: inside, configured: "registry.example/static:1", platforms: "linux/amd64", err: "not pinned"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			b, err := openBase(t.Context(), options{base: tt.source, platform: strings.Split(tt.platforms, ",")}, config{Base: tt.configured})
			if tt.err != "" {
				if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("openBase() = %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("openBase() = %v", err)
			}
			b.close()
			if !strings.HasPrefix(b.ref.Name(), tt.ref) {
				t.Errorf("base is called %s, want %s", b.ref.Name(), tt.ref)
			}
		})
	}
}

// What is not an export of a checked layout must be given its name; what is built has
// then the pinned reference, whatever the layout's own digest.
func TestOpenBaseReference(t *testing.T) {
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(index(t, "amd64")); err != nil {
		t.Fatal(err)
	}
	digest := "@sha256:" + strings.Repeat("5", 64)
	for name, tt := range map[string]struct{ configured, want string }{
		"as .ko.yaml": {"registry.example/static:1" + digest, "registry.example/static" + digest},
		"another":     {"registry.example/static:1@sha256:" + strings.Repeat("6", 64), "mirror.example/static" + digest},
	} {
		t.Run(name, func(t *testing.T) {
			o := options{base: dir, baseReference: "mirror.example/static:1" + digest, platform: []string{"linux/amd64"}}
			b, err := openBase(t.Context(), o, config{Base: tt.configured})
			if err != nil {
				t.Fatal(err)
			}
			if b.ref.Name() != tt.want {
				t.Errorf("base is called %s, want %s", b.ref.Name(), tt.want)
			}
		})
	}
	o := options{base: dir, baseReference: "mirror.example/static:1", platform: []string{"linux/amd64"}}
	if _, err := openBase(t.Context(), o, config{Base: "registry.example/static:1" + digest}); err == nil || !strings.Contains(err.Error(), "not pinned") {
		t.Errorf("openBase() with a tag as reference = %v", err)
	}
}

// pack is a tar file of a directory.
func pack(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := tarDir(&b, dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "base.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUntarStaysInside(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "../outside", Typeflag: tar.TypeReg, Size: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "x"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	file := filepath.Join(t.TempDir(), "base.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if dir, err := untar(file); err == nil {
		t.Errorf("untar() = %s for an entry called ../outside", dir)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

func TestTarDirDependsOnContentAlone(t *testing.T) {
	var archives []string
	for _, mode := range []os.FileMode{0o600, 0o755} {
		dir := t.TempDir()
		for _, file := range []string{"b", "a", "c/d"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), mode|0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(file), mode); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if err := tarDir(&b, dir); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, b.String())
	}
	if archives[0] != archives[1] {
		t.Error("two directories with the same content give two archives")
	}
}

func TestReadConfig(t *testing.T) {
	if _, err := readConfig(filepath.Join("..", "..", ".ko.yaml")); err != nil {
		t.Errorf("the checkout's own: %v", err)
	}
	const good = "defaultBaseImage: x@y\ndefaultPlatforms: [linux/amd64]\ndefaultEnv: [GOTOOLCHAIN=go1.26.8]\n"
	tests := []struct{ name, text, want string }{
		{"good", good, ""},
		{"not heeded", good + "builds: []\n", "builds"},
		{"no base", strings.Replace(good, "defaultBaseImage: x@y\n", "", 1), "defaultBaseImage"},
		{"no platforms", strings.Replace(good, "linux/amd64", "", 1), "defaultPlatforms"},
		{"any Go", strings.Replace(good, "go1.26.8", "auto", 1), "GOTOOLCHAIN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), ".ko.yaml")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readConfig(file)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("readConfig() = %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"lab.oci.tar", "lab.tar"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := imageEntry{
		Name: "lab", Digest: "sha256:1", Archive: "lab.oci.tar", Tarball: "lab.tar", TarballPlatform: "linux/amd64",
		Platforms: []platformEntry{{Platform: "linux/amd64", Digest: "sha256:1"}},
	}
	written := now
	written.ArchiveSize, written.TarballSize, written.Reference = 11, 7, "registry.example/lab"
	if err := (digests{Images: []imageEntry{written}}).write(dir); err != nil {
		t.Fatal(err)
	}
	kept, ok := readDigests(dir).same(dir, now)
	if !ok || kept.ArchiveSize != 11 || kept.Reference != "" {
		t.Errorf("same() = %+v, %v for the same image", kept, ok)
	}
	other := now
	other.Digest = "sha256:2"
	if _, ok := readDigests(dir).same(dir, other); ok {
		t.Error("another digest is the same")
	}
	other = now
	other.TarballPlatform = "linux/arm64"
	if _, ok := readDigests(dir).same(dir, other); ok {
		t.Error("a tarball of another platform is the same")
	}
	if err := os.Truncate(filepath.Join(dir, "lab.tar"), 3); err != nil {
		t.Fatal(err)
	}
	if _, ok := readDigests(dir).same(dir, now); ok {
		t.Error("a tarball that was cut short is the same")
	}
	if _, ok := readDigests(t.TempDir()).same(dir, now); ok {
		t.Error("without a list there is a same one")
	}
}

func TestReplaceIsWholeOrNot(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := replace(dir, "f", func(w io.Writer) error {
		_, err := io.Copy(w, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return err
	})
	if err == nil {
		t.Error("replace() hides the error")
	}
	data, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil || string(data) != "old" {
		t.Errorf("the file is %q (%v), want what it was", data, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("it left %v (%v)", files, err)
	}
}

// A killed build leaves an archive in the making, which has a name of its own each time.
func TestRemoveUnfinished(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{".frontend.tar-123", ".lab.oci.tar-45", "frontend.tar", ".notes-1"} {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeUnfinished(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != ".notes-1" || left[1].Name() != "frontend.tar" {
		t.Errorf("left %v (%v), want what is not unfinished", left, err)
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no output", nil, "--out"},
		{"arguments", []string{"--out", "x", "frontend"}, "frontend"},
		{"flag", []string{"--nope"}, "nope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parse(tt.args, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parse() = %v, want %q in it", err, tt.want)
			}
		})
	}
	o, err := parse([]string{"--out", "x", "--platform", "linux/amd64,linux/arm64"}, io.Discard)
	if err != nil || !filepath.IsAbs(o.out) || !slices.Equal(o.platform, []string{"linux/amd64", "linux/arm64"}) || o.cache != "" {
		t.Errorf("parse() = %+v, %v", o, err)
	}
}
