package images

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestPullLayout(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, variants := m.pushed(t)
	dir := filepath.Join(t.TempDir(), "made", "by pull")
	var done, total int64
	got, err := PullLayout(t.Context(), img, dir, PullOptions{Progress: func(d, all int64) { done, total = d, all }})
	if err != nil {
		t.Fatalf("PullLayout() = %v", err)
	}
	if got.Kept || got.Size == 0 || got.Path != img.FindLayout(dir) || done == 0 || done != total {
		t.Errorf("PullLayout() = %+v, progress %d of %d", got, done, total)
	}
	top, err := layout.ImageIndexFromPath(untar(t, got.Path))
	if err != nil {
		t.Fatal(err)
	}
	index, err := top.ImageIndex(v1.Hash{Algorithm: "sha256", Hex: strings.TrimPrefix(img.Digest, "sha256:")})
	if err != nil {
		t.Fatalf("the index of the lock is not in the layout: %v", err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("the layout is not whole: %v", err)
	}
	for arch, variant := range variants {
		digest, err := variant.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := index.Image(digest); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
	}

	// There already: the registry is not asked.
	m.Intercept(nil)
	if again, err := PullLayout(t.Context(), img, dir, PullOptions{}); err != nil || !again.Kept || again.Size != got.Size || len(m.Requests("")) != 0 {
		t.Errorf("second PullLayout() = %+v, %v after the requests %v; want the kept archive", again, err, m.Requests(""))
	}
	onlyFile(t, dir)

	// Half a file is none.
	if err := os.Truncate(got.Path, got.Size/2); err != nil {
		t.Fatal(err)
	}
	if again, err := PullLayout(t.Context(), img, dir, PullOptions{}); err != nil || again.Kept || again.Size != got.Size {
		t.Errorf("PullLayout() over half an archive = %+v, %v", again, err)
	}
}

// What stands in the layout's place is looked into before it is kept.
func TestPullLayoutReplacesAnother(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, _ := m.pushed(t)
	other, _ := m.pushed(t)
	dir := t.TempDir()
	first, err := PullLayout(t.Context(), other, dir, PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(first.Path, filepath.Join(dir, img.LayoutName())); err != nil {
		t.Fatal(err)
	}
	if got, err := PullLayout(t.Context(), img, dir, PullOptions{}); err != nil || got.Kept {
		t.Errorf("PullLayout() over another layout = %+v, %v", got, err)
	}
}

// Two platforms may have layers in common.
func TestPullLayoutHasNothingTwice(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	same := variant(t, "amd64")
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: same},
		mutate.IndexAddendum{Add: mutate.Annotations(same, map[string]string{"variant": "v2"}).(v1.Image)})
	if err := remote.WriteIndex(m.tag(t), index); err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	got, err := PullLayout(t.Context(), m.image(digest), t.TempDir(), PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if blobs, err := os.ReadDir(filepath.Join(untar(t, got.Path), "blobs", "sha256")); err != nil || len(blobs) != 6 {
		t.Errorf("%d blobs (%v), want an index, two manifests, a configuration and two layers", len(blobs), err)
	}
}

// A lock may name the image of one platform instead of an index.
func TestPullLayoutOfOneImage(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	single := variant(t, "arm64")
	if err := remote.Write(m.tag(t), single); err != nil {
		t.Fatal(err)
	}
	digest, err := single.Digest()
	if err != nil {
		t.Fatal(err)
	}
	got, err := PullLayout(t.Context(), m.image(digest), t.TempDir(), PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	top, err := layout.ImageIndexFromPath(untar(t, got.Path))
	if err != nil {
		t.Fatal(err)
	}
	image, err := top.Image(digest)
	if err == nil {
		err = validate.Image(image)
	}
	if err != nil {
		t.Errorf("the image in the layout: %v", err)
	}
}

func TestPullLayoutRefusesOtherContent(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, variants := m.pushed(t)
	m.Intercept(corrupt(t, variants["arm64"]))
	dir := t.TempDir()
	if _, err := PullLayout(t.Context(), img, dir, PullOptions{}); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("PullLayout() = %v, want an error that names the digest", err)
	}
	empties(t, dir)
}

func TestFind(t *testing.T) {
	img := Image{Name: Loki, Repository: "grafana/loki", Tag: "3.7.7", Digest: "sha256:" + strings.Repeat("1", 64)}
	older := img
	older.Digest = "sha256:" + strings.Repeat("2", 64)
	pulled, plain := img.ArchiveName("linux/amd64"), "loki.tar"
	for _, test := range []struct {
		name   string
		there  []string
		want   string
		others int
	}{
		{"nothing", nil, "", 0},
		{"what pull makes", []string{pulled}, pulled, 0},
		{"what pack makes", []string{plain}, plain, 0},
		{"the name with the digest is surer", []string{plain, pulled}, pulled, 0},
		{"another processor's", []string{img.ArchiveName("linux/arm64")}, "", 1},
		{"another version's", []string{older.ArchiveName("linux/amd64")}, "", 1},
		{"both, and ours", []string{older.ArchiveName("linux/amd64"), img.ArchiveName("linux/arm64"), pulled}, pulled, 0},
		{"another image's", []string{"tempo.tar"}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range test.there {
				if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if test.want != "" {
				test.want = filepath.Join(dir, test.want)
			}
			if file, others := img.Find(dir, "linux/amd64"); file != test.want || len(others) != test.others {
				t.Errorf("Find() = %q, %q, want %q and %d others", file, others, test.want, test.others)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, plain), 0o700); err != nil {
		t.Fatal(err)
	}
	if file, _ := img.Find(dir, "linux/amd64"); file != "" {
		t.Errorf("Find() = %q, which is a directory", file)
	}
}

// untar is the content of a tar file in a directory.
func untar(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for entries := tar.NewReader(f); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is twice in the archive", h.Name)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
