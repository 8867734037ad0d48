package images

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry"
)

// The environment that makes the test's program one that pulls an image: DIGEST and
// REPOSITORY of the image, and the folders.
const pullEnv = "LAB_TEST_PULL"

func TestMain(m *testing.M) {
	if given := os.Getenv(pullEnv); given != "" {
		p := strings.Split(given, "|")
		img := Image{Name: Loki, Repository: p[0], Tag: "3.7.7", Digest: p[1]}
		_, err := Pull(context.Background(), img, "linux/amd64", p[2], PullOptions{Cache: p[3]})
		panic(err) // it is to be killed before that
	}
	os.Exit(m.Run())
}

// A process that is killed in the middle of a pull leaves nothing but what the next
// pull goes on with, and what prune knows.
func TestPullAfterOneThatWasKilled(t *testing.T) {
	m := newMemory(t)
	img, variants := m.pushed(t)
	manifest, err := variants["amd64"].Manifest()
	if err != nil {
		t.Fatal(err)
	}
	dir, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	layer := manifest.Layers[0]
	arrived := make(chan struct{})
	m.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, layer.Digest.String()) {
			return false
		}
		content, err := variants["amd64"].LayerByDigest(layer.Digest)
		if err != nil {
			t.Error(err)
			return true
		}
		body, _ := content.Compressed()
		half := make([]byte, layer.Size/2)
		_, _ = body.Read(half)
		w.Header().Set("Content-Length", "4096000")
		_, _ = w.Write(half)
		_ = http.NewResponseController(w).Flush()
		close(arrived)
		<-r.Context().Done() // the killed process hangs up
		return true
	})
	killed := exec.Command(os.Args[0])
	killed.Env = append(os.Environ(), pullEnv+"="+strings.Join([]string{img.Repository, img.Digest, dir, cache}, "|"))
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	partial := filepath.Join(cache, "blobs", "sha256-"+layer.Digest.Hex+".partial")
	waitFor(t, func() bool { info, err := os.Stat(partial); return err == nil && info.Size() > 0 })
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()

	empties(t, dir)
	m.Intercept(nil)
	if _, err := Pull(t.Context(), img, "linux/amd64", dir, PullOptions{Cache: cache}); err != nil {
		t.Fatalf("Pull() after one that was killed = %v", err)
	}
	if asked := m.Requests(layer.Digest.Hex); len(asked) != 1 || !strings.Contains(asked[0], " bytes=") {
		t.Errorf("the layer is asked for by %v, want the rest of it", asked)
	}
	onlyFile(t, dir)
	deleted, kept, err := registry.StoreIn(cache).Prune()
	if err != nil || len(deleted)+len(kept) > 0 {
		t.Errorf("the second pull leaves %v and %v (%v) to prune", deleted, kept, err)
	}
	var left []string
	err = filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, ".lock") {
			left = append(left, d.Name())
		}
		return err
	})
	if err != nil || !slices.Equal(left, []string{"CACHEDIR.TAG"}) {
		t.Errorf("left in the cache: %v (%v)", left, err)
	}
}

// waitFor waits until something is so that another process does.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other process does not do it")
		}
	}
}
