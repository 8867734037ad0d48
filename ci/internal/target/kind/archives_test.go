package kind

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// A mirror is a registry in memory with small images under the lock's names, and
// the lock that names them.
type mirror struct{ host, lock string }

// newMirror has images for linux/amd64 and linux/arm64.
func newMirror(t *testing.T) *mirror {
	t.Helper()
	m := &mirror{lock: filepath.Join(t.TempDir(), "mirror.json")}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	m.host = strings.TrimPrefix(server.URL, "http://")
	refs := map[string]string{}
	for _, image := range images.Names() {
		tagged := m.host + "/mirror/" + image + ":1.0"
		digest := "sha256:" + strings.Repeat("1", 64)
		if slices.Contains(images.Offline(), image) {
			digest = push(t, tagged)
		}
		refs[image] = tagged + "@" + digest
	}
	raw, err := json.Marshal(map[string]any{"images": refs})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.lock, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func push(t *testing.T, tagged string) (digest string) {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := random.Image(1000, 1)
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: rootFS(t, img)}); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	tag, err := name.NewTag(tagged)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	d, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func rootFS(t *testing.T, img v1.Image) v1.RootFS {
	t.Helper()
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return cfg.RootFS
}

// quietTarget returns a Kind target, and collects its lines of progress.
func quietTarget(t *testing.T, m *mirror, o Options) (*Target, *strings.Builder) {
	t.Helper()
	var said strings.Builder
	dir := t.TempDir()
	o.Name, o.Dir = "lab-test", func() (string, error) { return dir, nil }
	o.Lock = func() (images.Lock, error) { return images.Load(m.lock) }
	o.Say = func(line string) { fmt.Fprintln(&said, line) }
	made, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return made, &said
}

// pull fetches images of the mirror as `lab images pull --to DIR` does.
func (m *mirror) pull(t *testing.T, dir, platform string, names ...string) {
	t.Helper()
	lock, err := images.Load(m.lock)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		img, err := lock.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := images.PullOffline(t.Context(), img, platform, dir, images.PullOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// fakeDocker puts a docker command on PATH that answers by a shell script.
func fakeDocker(t *testing.T, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the fake docker is a shell script")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// `up --archives DIR` takes the files that `images pull --to DIR` has written: every image
// that a cluster runs, its nodes' image, and the base of our own images.
func TestPulledDirectoryIsArchives(t *testing.T) {
	m := newMirror(t)
	dir := t.TempDir()
	m.pull(t, dir, "linux/arm64", images.Offline()...)
	lock, err := images.Load(m.lock)
	if err != nil {
		t.Fatal(err)
	}
	s, said := quietTarget(t, m, Options{Archives: dir})
	found, missing, err := s.given(lock, "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(missing, build.Names()) || !strings.Contains(said.String(), "so built or pulled: frontend, backend, lab\n") {
		t.Errorf("missing %v, it says %q; want only our own images", missing, said)
	}
	names := map[string]string{}
	for _, a := range found {
		names[a.name] = a.ref
	}
	for _, image := range images.Workloads() {
		if names[image] != m.host+"/mirror/"+image+":1.0" {
			t.Errorf("%s is %q", image, names[image])
		}
	}
	fakeDocker(t, "echo arm64\n")
	node, err := s.nodeArchive(t.Context(), cluster.New(cluster.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := cluster.ReadArchive(node); err != nil || !slices.Equal(a.Tags, []string{m.host + "/mirror/node:1.0"}) {
		t.Errorf("the nodes' image is %v in %q, %v", a.Tags, node, err)
	}
	if base, err := s.base(); err != nil || filepath.Dir(base) != dir {
		t.Errorf("our images are built on %q, %v; want the layout in %s", base, err, dir)
	}
	// Without the directory the base comes from the registry.
	without, _ := quietTarget(t, m, Options{})
	if base, err := without.base(); err != nil || !strings.HasPrefix(base, m.host+"/mirror/base:1.0@") {
		t.Errorf("without archives our images are built on %q, %v", base, err)
	}

	// Images for another processor are ignored, and the target says why.
	said.Reset()
	if found, missing, err = s.given(lock, "linux/amd64"); err != nil || len(found) > 0 || len(missing) != len(images.Workloads())+len(build.Names()) {
		t.Errorf("for another processor: found %v, missing %v, %v", found, missing, err)
	}
	if want := "it is not for linux/amd64, or not the loki of the image lock"; !strings.Contains(said.String(), want) || !strings.Contains(said.String(), "ignoring "+dir) {
		t.Errorf("it says %q, want %q", said, want)
	}

	// The file has the lock's node image, so it does not serve for another one.
	s.o.NodeImage = "kindest/node:v1.30.0"
	if node, err := s.nodeArchive(t.Context(), cluster.New(cluster.Config{})); node != "" || err != nil {
		t.Errorf("with --node-image the nodes' archive is %q, %v", node, err)
	}
}

// `up --archives` also takes the names that pack and build write.
func TestPackedDirectoryIsArchives(t *testing.T) {
	m := newMirror(t)
	pulled, dir := t.TempDir(), t.TempDir()
	m.pull(t, pulled, "linux/amd64", "loki")
	files, err := filepath.Glob(filepath.Join(pulled, "*.tar"))
	if err != nil || len(files) != 1 {
		t.Fatalf("pull has left %v, %v", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"loki.tar", "frontend.tar"} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := images.Load(m.lock)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := quietTarget(t, m, Options{Archives: dir})
	found, missing, err := s.given(lock, "linux/amd64")
	if err != nil || len(found) != 2 || found[0].name != "frontend" || found[1].name != "loki" || len(missing) != 6 {
		t.Errorf("found %v, missing %v, %v", found, missing, err)
	}
}
