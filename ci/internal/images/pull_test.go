package images

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry/registrytest"
)

// memory is a registry in memory.
type memory struct{ *registrytest.Registry }

func newMemory(t *testing.T) *memory {
	t.Helper()
	return &memory{registrytest.New(t)}
}

// userCache makes the test's own folder the user's cache directory.
func userCache(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} { // of the three kinds of systems
		t.Setenv(name, home)
	}
	dir, err := cachedir.Default()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// pushed is an image for linux/amd64 and linux/arm64 in the registry, and what it
// is made of.
func (m *memory) pushed(t *testing.T) (Image, map[string]v1.Image) {
	t.Helper()
	index, variants := v1.ImageIndex(empty.Index), map[string]v1.Image{}
	for _, arch := range []string{"amd64", "arm64"} {
		img := variant(t, arch)
		variants[arch] = img
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	ref := m.tag(t)
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return m.image(digest), variants
}

func (m *memory) tag(t *testing.T) name.Tag {
	t.Helper()
	ref, err := name.NewTag(m.Host + "/grafana/loki:3.7.7")
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (m *memory) image(digest v1.Hash) Image {
	return Image{Name: Loki, Repository: m.Host + "/grafana/loki", Tag: "3.7.7", Digest: digest.String()}
}

// variant is an image of two layers whose configuration names the platform.
func variant(t *testing.T, arch string) v1.Image {
	t.Helper()
	img, err := random.Image(4096, 2)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", arch
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		t.Fatal(err)
	}
	return img
}

func TestPull(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, variants := m.pushed(t)
	dir := filepath.Join(t.TempDir(), "made", "by pull")
	var done, total int64
	got, err := Pull(t.Context(), img, "linux/arm64", dir, PullOptions{Progress: func(d, all int64) {
		if d < done {
			t.Errorf("progress goes back from %d to %d", done, d)
		}
		done, total = d, all
	}})
	if err != nil {
		t.Fatalf("Pull() = %v", err)
	}
	if got.Kept || got.Tag != m.Host+"/grafana/loki:3.7.7" || got.Size == 0 || done != total || done == 0 {
		t.Errorf("Pull() = %+v, progress %d of %d", got, done, total)
	}
	want, err := variants["arm64"].ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != want.String() {
		t.Errorf("ID = %s, want that of the image for arm64, %s", got.ID, want)
	}
	loaded, err := tarball.ImageFromPath(got.Path, new(m.tag(t)))
	if err != nil {
		t.Fatalf("the archive has no image under its tag: %v", err)
	}
	layers, err := loaded.Layers()
	if err != nil || len(layers) != 2 {
		t.Errorf("%d layers in the archive (%v), want 2", len(layers), err)
	}

	// There already: the registry is not asked.
	m.Intercept(nil)
	again, err := Pull(t.Context(), img, "linux/arm64", dir, PullOptions{})
	if err != nil || !again.Kept || again.Path != got.Path || again.ID != got.ID {
		t.Errorf("second Pull() = %+v, %v; want the kept archive", again, err)
	}
	if asked := m.Requests(""); len(asked) > 0 {
		t.Errorf("the second Pull() asks for %v", asked)
	}
	onlyFile(t, dir)

	// The other platform is another file.
	other, err := Pull(t.Context(), img, "linux/amd64", dir, PullOptions{})
	if err != nil || other.Path == got.Path || other.ID == got.ID {
		t.Errorf("Pull(amd64) = %+v, %v", other, err)
	}
}

func TestPullReplacesWhatIsNotWhole(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, _ := m.pushed(t)
	dir := t.TempDir()
	first, err := Pull(t.Context(), img, "linux/amd64", dir, PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(first.Path, first.Size/2); err != nil {
		t.Fatal(err)
	}
	again, err := Pull(t.Context(), img, "linux/amd64", dir, PullOptions{})
	if err != nil || again.Kept || again.Size != first.Size {
		t.Errorf("Pull() over half an archive = %+v, %v", again, err)
	}
	// The same image under another tag is another archive for a cluster.
	img.Tag = "3.7.7-mirrored"
	renamed, err := Pull(t.Context(), img, "linux/amd64", dir, PullOptions{})
	if err != nil || renamed.Kept || !strings.HasSuffix(renamed.Tag, ":3.7.7-mirrored") {
		t.Errorf("Pull() under another tag = %+v, %v", renamed, err)
	}
}

func TestPullRefuses(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, variants := m.pushed(t)
	single, err := variants["arm64"].Digest()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		img       Image
		platform  string
		misbehave func(w http.ResponseWriter, r *http.Request) bool
		want      string
	}{
		{name: "a platform that the index lacks", img: img, platform: "linux/s390x", want: "linux/s390x"},
		{name: "one platform's manifest pinned", img: m.image(single), platform: "linux/amd64", want: "it is for linux/arm64, not for linux/amd64"},
		{name: "no platform", img: img, platform: "linux", want: "os/architecture"},
		{
			name: "unknown digest", img: m.image(v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}),
			platform: "linux/amd64", want: "MANIFEST_UNKNOWN",
		},
		{
			name: "another manifest under the digest", img: img, platform: "linux/amd64",
			misbehave: func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, img.Digest) {
					return false
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				_, _ = io.WriteString(w, `{"schemaVersion":2,"manifests":[]}`)
				return true
			},
			want: "digest",
		},
		{
			name: "a layer with other content", img: img, platform: "linux/amd64",
			misbehave: corrupt(t, variants["amd64"]), want: "sha256",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.Intercept(tt.misbehave)
			dir := t.TempDir()
			_, err := Pull(t.Context(), tt.img, tt.platform, dir, PullOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "grafana/loki:3.7.7@") {
				t.Errorf("Pull() = %v, want the reference and %q in it", err, tt.want)
			}
			empties(t, dir)
		})
	}
}

// corrupt answers a request for the last layer of img with as many other bytes.
func corrupt(t *testing.T, img v1.Image) func(http.ResponseWriter, *http.Request) bool {
	t.Helper()
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layer := manifest.Layers[len(manifest.Layers)-1]
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, layer.Digest.String()) {
			return false
		}
		_, _ = w.Write(make([]byte, layer.Size))
		return true
	}
}

func TestPullCancelled(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, _ := m.pushed(t)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	// The registry never finishes a blob; only the cancellation ends the pull.
	m.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		cancel(why)
		<-r.Context().Done()
		return true
	})
	dir := t.TempDir()
	if _, err := Pull(ctx, img, "linux/amd64", dir, PullOptions{}); !errors.Is(err, why) {
		t.Errorf("Pull() = %v, want the cause of the cancellation", err)
	}
	empties(t, dir)
}

// A layer that breaks off in the middle is taken up again; the archive is the same
// as without the break.
func TestPullGoesOnAfterABreak(t *testing.T) {
	cache := userCache(t)
	m := newMemory(t)
	img, variants := m.pushed(t)
	manifest, err := variants["amd64"].Manifest()
	if err != nil {
		t.Fatal(err)
	}
	m.BreakOff(manifest.Layers[0].Digest.String(), 1000, 1)
	var broke error
	dir := t.TempDir()
	a, err := Pull(t.Context(), img, "linux/amd64", dir, PullOptions{FirstPause: time.Millisecond, Retrying: func(err error) { broke = err }})
	if err != nil {
		t.Fatalf("Pull() = %v", err)
	}
	if broke == nil {
		t.Error("the break was not told")
	}
	if _, err := tarball.ImageFromPath(a.Path, new(m.tag(t))); err != nil {
		t.Error(err)
	}
	onlyFile(t, dir)
	if left, _ := filepath.Glob(filepath.Join(cache, "blobs", "*")); len(left) > 0 {
		t.Errorf("left in the cache: %v", left)
	}
}

// What a killed process leaves is an archive that is not whole, under a name that
// says so. The next pull to the folder deletes it, whatever it pulls.
func TestPullDeletesWhatAKilledOneLeft(t *testing.T) {
	userCache(t)
	m := newMemory(t)
	img, _ := m.pushed(t)
	dir := t.TempDir()
	for _, file := range []string{"tempo-amd64-0123.tar.partial", img.Name + ".tar.partial"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Pull(t.Context(), img, "linux/amd64", dir, PullOptions{}); err != nil {
		t.Fatal(err)
	}
	onlyFile(t, dir)
}

func onlyFile(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the directory holds %v (%v), want the archive alone", files, err)
	}
}

func empties(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 0 {
		t.Errorf("the failed pull left %v (%v)", files, err)
	}
}
