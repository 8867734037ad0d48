package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry/registrytest"
)

// quick pauses no longer than it must.
var quick = Client{FirstPause: time.Millisecond}

// A rig is an image in a registry, and a store that is empty.
type rig struct {
	*registrytest.Registry
	ref   name.Digest
	image v1.Image
	blobs []v1.Descriptor
	cache string
	store Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	before := stall
	t.Cleanup(func() { stall = before })
	r := &rig{Registry: registrytest.New(t), cache: filepath.Join(t.TempDir(), "cache")}
	r.store = StoreIn(r.cache)
	var err error
	if r.image, err = random.Image(64<<10, 2); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(r.Host + "/grafana/loki:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, r.image); err != nil {
		t.Fatal(err)
	}
	digest, err := r.image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r.ref = tag.Context().Digest(digest.String())
	manifest, err := r.image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	r.blobs = manifest.Layers
	return r
}

func (r *rig) fetch(ctx context.Context, p Progress) (*Blobs, error) {
	return r.store.Fetch(ctx, quick, r.ref.Context(), r.blobs, p)
}

// files are the names in the store, with their sizes unless they are locks.
func (r *rig) files(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.cache, "blobs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// whole compares a blob with what is in the image.
func (r *rig) whole(t *testing.T, b *Blobs, digest v1.Hash) {
	t.Helper()
	layer, err := r.image.LayerByDigest(digest)
	if err != nil {
		t.Fatal(err)
	}
	body, err := layer.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(b.File(digest)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes (%v), want %d others", digest, len(got), err, len(want))
	}
}

func TestFetch(t *testing.T) {
	r := newRig(t)
	var done, total int64
	b, err := r.fetch(t.Context(), Progress{Bytes: func(d, all int64) { done, total = d, all }})
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range r.blobs {
		r.whole(t, b, blob.Digest)
	}
	if want := r.blobs[0].Size + r.blobs[1].Size; done != want || total != want {
		t.Errorf("progress %d of %d, want %d", done, total, want)
	}
	if !cachedir.Marked(r.cache) {
		t.Error("the cache is not marked as one")
	}

	// Kept: the next Fetch asks nobody. Deleted: nothing is left, and no lock.
	b.Keep()
	r.Intercept(nil)
	if b, err = r.fetch(t.Context(), Progress{}); err != nil || len(r.Requests("")) > 0 {
		t.Errorf("the second Fetch() = %v, and asks for %v", err, r.Requests(""))
	}
	if err := b.Delete(); err != nil {
		t.Fatal(err)
	}
	if files := r.files(t); len(files) > 0 {
		t.Errorf("left in the store: %v", files)
	}
}

// A connection that breaks off in the middle is taken up where it was.
func TestFetchGoesOnAfterABreak(t *testing.T) {
	r := newRig(t)
	const cut = 10_000
	r.BreakOff("/blobs/"+r.blobs[1].Digest.String(), cut, 3)
	var broke []error
	b, err := r.fetch(t.Context(), Progress{Retrying: func(err error) { broke = append(broke, err) }})
	if err != nil {
		t.Fatalf("Fetch() = %v", err)
	}
	r.whole(t, b, r.blobs[1].Digest)
	var want []string
	for i := range 4 {
		path := fmt.Sprintf("GET /v2/grafana/loki/blobs/%s", r.blobs[1].Digest)
		if i > 0 {
			path += fmt.Sprintf(" bytes=%d-%d", i*cut, r.blobs[1].Size-1)
		}
		want = append(want, path)
	}
	if got := r.Requests(r.blobs[1].Digest.Hex); !slices.Equal(got, want) {
		t.Errorf("asked for\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(broke) != 3 {
		t.Errorf("told of %d breaks (%v), want 3", len(broke), broke)
	}
}

// A registry may know no ranges, and send all of a blob each time.
func TestFetchWithoutRanges(t *testing.T) {
	r := newRig(t)
	blob := r.blobs[0]
	layer, err := r.image.LayerByDigest(blob.Digest)
	if err != nil {
		t.Fatal(err)
	}
	first := true
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasSuffix(req.URL.Path, blob.Digest.String()) {
			return false
		}
		body, _ := layer.Compressed()
		w.Header().Set("Content-Length", fmt.Sprint(blob.Size))
		n := blob.Size
		if first {
			first, n = false, n/2
		}
		_, _ = io.CopyN(w, body, n)
		_ = http.NewResponseController(w).Flush()
		if n < blob.Size {
			panic(http.ErrAbortHandler)
		}
		return true
	})
	b, err := r.fetch(t.Context(), Progress{})
	if err != nil {
		t.Fatalf("Fetch() = %v", err)
	}
	r.whole(t, b, blob.Digest)
}

// After too many breaks in a row Fetch gives up, says how far it came, and goes on
// from there the next time.
func TestFetchGivesUp(t *testing.T) {
	r := newRig(t)
	r.BreakOff("/blobs/"+r.blobs[0].Digest.String(), 1000, 100)
	_, err := r.fetch(t.Context(), Progress{})
	broken, ok := errors.AsType[*BrokenOff](err)
	if !ok || broken.Have != tries*1000 || broken.Size != r.blobs[0].Size {
		t.Fatalf("Fetch() = %v, want a BrokenOff after %d bytes", err, tries*1000)
	}
	if n := len(r.Requests(r.blobs[0].Digest.Hex)); n != tries {
		t.Errorf("asked %d times, want %d", n, tries)
	}
	r.Intercept(nil)
	b, err := r.fetch(t.Context(), Progress{})
	if err != nil {
		t.Fatal(err)
	}
	r.whole(t, b, r.blobs[0].Digest)
	if got, want := r.Requests(r.blobs[0].Digest.Hex), fmt.Sprintf(" bytes=%d-", tries*1000); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("the next Fetch asks for %v, want%s", got, want)
	}
}

func TestFetchLeavesAHaltingConnection(t *testing.T) {
	r := newRig(t)
	stall = 50 * time.Millisecond
	halted := false
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if halted || !strings.HasSuffix(req.URL.Path, r.blobs[0].Digest.String()) {
			return false
		}
		halted = true
		w.Header().Set("Content-Length", fmt.Sprint(r.blobs[0].Size))
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done() // the client hangs up
		return true
	})
	b, err := r.fetch(t.Context(), Progress{})
	if err != nil {
		t.Fatalf("Fetch() = %v", err)
	}
	r.whole(t, b, r.blobs[0].Digest)
}

// What is not what its digest says is refused, and nothing of it is kept.
func TestFetchRefusesOtherContent(t *testing.T) {
	r := newRig(t)
	for what, size := range map[string]int64{"as many bytes": r.blobs[0].Size, "too many": r.blobs[0].Size + 1} {
		t.Run(what, func(t *testing.T) {
			r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
				if !strings.HasSuffix(req.URL.Path, r.blobs[0].Digest.String()) {
					return false
				}
				_, _ = w.Write(make([]byte, size))
				return true
			})
			_, err := r.fetch(t.Context(), Progress{})
			if !errors.Is(err, errDigest) || !strings.Contains(err.Error(), r.blobs[0].Digest.String()) {
				t.Errorf("Fetch() = %v, want one that names the layer and its digest", err)
			}
			if n := len(r.Requests(r.blobs[0].Digest.Hex)); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			for _, file := range r.files(t) {
				if strings.Contains(file, r.blobs[0].Digest.Hex) {
					t.Errorf("left in the store: %s", file)
				}
			}
		})
	}
}

// A partial file may be damaged, by a machine that crashed while it was written.
func TestFetchBeginsAnewWhenTheBeginningIsDamaged(t *testing.T) {
	for what, content := range map[string][]byte{"other bytes": make([]byte, 5000), "too long": make([]byte, 1<<20)} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t)
			partial := partialOf(r.store.file(r.blobs[0].Digest))
			if err := os.MkdirAll(filepath.Dir(partial), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(partial, content, 0o600); err != nil {
				t.Fatal(err)
			}
			b, err := r.fetch(t.Context(), Progress{})
			if err != nil {
				t.Fatal(err)
			}
			r.whole(t, b, r.blobs[0].Digest)
		})
	}
}

func TestFetchDoesNotRepeatARefusal(t *testing.T) {
	r := newRig(t)
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(req.URL.Path, "/blobs/") {
			return false
		}
		http.Error(w, "no", http.StatusForbidden)
		return true
	})
	if _, err := r.fetch(t.Context(), Progress{}); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("Fetch() = %v, want what the registry said", err)
	}
	for _, blob := range r.blobs {
		if n := len(r.Requests(blob.Digest.Hex)); n > 1 {
			t.Errorf("asked %d times for %s", n, blob.Digest)
		}
	}
}

func TestFetchCancelled(t *testing.T) {
	r := newRig(t)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(req.URL.Path, "/blobs/") {
			return false
		}
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		cancel(why)
		<-req.Context().Done()
		return true
	})
	if _, err := r.fetch(ctx, Progress{}); !errors.Is(err, why) {
		t.Errorf("Fetch() = %v, want the cause", err)
	}
}

// Two that want the same layer do not both download it, and neither takes the
// other's away.
func TestFetchWaitsForWhoHasTheBlobs(t *testing.T) {
	r := newRig(t)
	first, err := r.fetch(t.Context(), Progress{})
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	second, err := r.fetch(t.Context(), Progress{Waiting: func() {
		waited = true
		r.whole(t, first, r.blobs[0].Digest)
		if deleted, kept, err := r.store.Prune(); len(deleted) > 0 || len(kept) != 2 || err != nil {
			t.Errorf("Prune() of blobs in use = %v, %v, %v", deleted, kept, err)
		}
		if err := first.Delete(); err != nil {
			t.Error(err)
		}
	}})
	if err != nil || !waited {
		t.Fatalf("the second Fetch() = %v, waited %v", err, waited)
	}
	r.whole(t, second, r.blobs[0].Digest)
}

// What a killed process leaves in the store is a partial file and a lock that
// nobody holds.
func TestPruneDeletesWhatAKilledProcessLeft(t *testing.T) {
	r := newRig(t)
	b, err := r.fetch(t.Context(), Progress{})
	if err != nil {
		t.Fatal(err)
	}
	b.Keep()
	dir := filepath.Join(r.cache, "blobs")
	partial := partialOf(filepath.Join(dir, "sha256-"+strings.Repeat("0", 64)))
	foreign := filepath.Join(dir, "notes.txt")
	for _, file := range []string{partial, lockOf(strings.TrimSuffix(partial, ".partial")), foreign} {
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	deleted, kept, err := r.store.Prune()
	if err != nil || len(deleted) != 3 || len(kept) != 0 {
		t.Errorf("Prune() = %v, %v, %v; want both blobs and the partial one", deleted, kept, err)
	}
	if files := r.files(t); !slices.Equal(files, []string{"notes.txt"}) {
		t.Errorf("left in the store: %v, want what is not the store's", files)
	}
}

func TestPruneTouchesNoFolderWithoutTheMark(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(r.cache, "blobs", "sha256-"+strings.Repeat("0", 64))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if deleted, _, err := r.store.Prune(); len(deleted) > 0 || err != nil {
		t.Errorf("Prune() = %v, %v in a folder that is not marked", deleted, err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestImageReadsLayersFromTheStore(t *testing.T) {
	r := newRig(t)
	b, err := r.fetch(t.Context(), Progress{})
	if err != nil {
		t.Fatal(err)
	}
	remote, err := quick.Image(t.Context(), r.ref, v1.Platform{})
	if err != nil {
		t.Fatal(err)
	}
	r.Intercept(nil)
	tag, err := name.NewTag("loki:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.Write(tag, b.Image(remote), io.Discard); err != nil {
		t.Errorf("writing the image: %v", err)
	}
	if asked := r.Requests("/blobs/"); len(asked) > 0 {
		t.Errorf("the layers come from the registry: %v", asked)
	}
}

// A manifest and a configuration may break off, too.
func TestImageRetries(t *testing.T) {
	for _, what := range []string{"/manifests/", "/blobs/"} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t)
			r.BreakOff(what, 10, 2)
			if _, err := quick.Image(t.Context(), r.ref, v1.Platform{}); err != nil {
				t.Errorf("Image() = %v", err)
			}
		})
	}
}

func TestReference(t *testing.T) {
	for name, tt := range map[string]struct {
		repository string
		insecure   []string
		want       string
	}{
		"public":               {"registry.example:5000/loki", nil, "https"},
		"listed with its port": {"registry.example:5000/loki", []string{"registry.example:5000"}, "http"},
		"listed without":       {"registry.example:5000/loki", []string{"registry.example"}, "http"},
		"another is listed":    {"registry.example:5000/loki", []string{"other.example"}, "https"},
		"this machine":         {"localhost:5000/loki", nil, "http"},
		"this machine, IPv6":   {"[::1]:5000/loki", nil, "http"},
		"private address":      {"172.17.0.1:5000/loki", nil, "http"},
	} {
		t.Run(name, func(t *testing.T) {
			ref, err := Client{Insecure: tt.insecure}.Reference(tt.repository + "@sha256:" + strings.Repeat("1", 64))
			if err != nil || ref.Scheme() != tt.want {
				t.Errorf("Reference() = %s://%s, %v, want %s", ref.Scheme(), ref, err, tt.want)
			}
		})
	}
}
