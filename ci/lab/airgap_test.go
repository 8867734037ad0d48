package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
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
type mirror struct {
	host, lock string
	mu         sync.Mutex
	asked      []string // the paths
}

// newMirror has images for linux/amd64 and linux/arm64, if it is filled.
func newMirror(t *testing.T, filled bool) *mirror {
	t.Helper()
	m := &mirror{lock: filepath.Join(t.TempDir(), "mirror.json")}
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.asked = append(m.asked, r.URL.Path)
		m.mu.Unlock()
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	m.host = strings.TrimPrefix(server.URL, "http://")
	refs := map[string]string{}
	for _, image := range images.Names() {
		tagged := m.host + "/mirror/" + image + ":1.0"
		digest := "sha256:" + strings.Repeat("1", 64)
		if filled && slices.Contains(carried(), image) {
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

// asked tells whether the mirror was asked for an image of the lock.
func (m *mirror) wasAsked(image string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.asked, func(path string) bool { return strings.Contains(path, "/mirror/"+image+"/manifests/sha256:") })
}

// quietSite is a Kind site that tells what it says.
func quietSite(t *testing.T) (kindSite, *strings.Builder) {
	t.Helper()
	var said strings.Builder
	e := &env{getenv: func(string) string { return "" }, stdout: io.Discard, stderr: &said, dir: t.TempDir()}
	return kindSite{e, "lab-test"}, &said
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

// What `images pull --to DIR` writes, `up --archives DIR` takes: all that a cluster
// runs, its nodes' image, and the base of our own images.
func TestPulledDirectoryIsArchives(t *testing.T) {
	m := newMirror(t, true)
	dir := t.TempDir()
	if code, _, stderr := lab(t, "images", "pull", "--to", dir, "--platform", "linux/arm64", "--images", m.lock); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	lock, err := images.Load(m.lock)
	if err != nil {
		t.Fatal(err)
	}
	flags := upFlags{images: m.lock, archives: dir}
	s, said := quietSite(t)
	found, missing, err := s.given(lock, flags, "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(missing, build.Names()) || !strings.Contains(said.String(), "so built or pulled: frontend, backend, lab\n") {
		t.Errorf("missing %v, it says %q; want ours alone", missing, said)
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
	node, err := s.nodeArchive(t.Context(), cluster.New(cluster.Config{}), flags)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := cluster.ReadArchive(node); err != nil || !slices.Equal(a.Tags, []string{m.host + "/mirror/node:1.0"}) {
		t.Errorf("the nodes' image is %v in %q, %v", a.Tags, node, err)
	}
	if base, err := s.base(flags); err != nil || filepath.Dir(base) != dir {
		t.Errorf("ours are built on %q, %v; want the layout in %s", base, err, dir)
	}
	// Without the directory it is the registry's.
	if base, err := s.base(upFlags{images: m.lock}); err != nil || !strings.HasPrefix(base, m.host+"/mirror/base:1.0@") {
		t.Errorf("without archives ours are built on %q, %v", base, err)
	}

	// Pulled for another processor is as good as not there, and it is said why.
	said.Reset()
	if found, missing, err = s.given(lock, flags, "linux/amd64"); err != nil || len(found) > 0 || len(missing) != len(images.Workloads())+len(build.Names()) {
		t.Errorf("for another processor: found %v, missing %v, %v", found, missing, err)
	}
	if want := "is not taken: it is not for linux/amd64, or not the loki of the image lock"; !strings.Contains(said.String(), want) {
		t.Errorf("it says %q, want %q", said, want)
	}

	// Another node image than the lock's is not in that file.
	flags.nodeImage = "kindest/node:v1.30.0"
	if node, err := s.nodeArchive(t.Context(), cluster.New(cluster.Config{}), flags); node != "" || err != nil {
		t.Errorf("with --node-image the nodes' archive is %q, %v", node, err)
	}
}

// pack's names are taken as well, those of our own images among them.
func TestPackedDirectoryIsArchives(t *testing.T) {
	m := newMirror(t, true)
	pulled, dir := t.TempDir(), t.TempDir()
	if code, _, stderr := lab(t, "images", "pull", "loki", "--to", pulled, "--platform", "linux/amd64", "--images", m.lock); code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
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
	s, _ := quietSite(t)
	found, missing, err := s.given(lock, upFlags{archives: dir}, "linux/amd64")
	if err != nil || len(found) != 2 || found[0].name != "frontend" || found[1].name != "loki" || len(missing) != 6 {
		t.Errorf("found %v, missing %v, %v", found, missing, err)
	}
}

func TestArchivesThatAreNotThere(t *testing.T) {
	code, _, stderr := lab(t, "up", "--target", "kind", "--archives", filepath.Join(t.TempDir(), "absent"))
	if code != 1 || !strings.Contains(stderr, "there is no such directory") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// --images swaps the whole lock on the local target, too.
func TestLocalGroundTakesAnotherLock(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the images are for linux")
	}
	absent := filepath.Join(t.TempDir(), "absent.json")
	for _, line := range []string{"stack build", "up --detach --free-ports", "verify --up"} {
		t.Run(line, func(t *testing.T) {
			m := newMirror(t, false)
			t.Setenv("TMPDIR", t.TempDir()) // verify --up keeps a folder there when it fails
			args := append(strings.Fields(line), "--stack", "images", "--cache", t.TempDir(), "--images")
			code, _, stderr := lab(t, append(args, m.lock)...)
			if code != 1 || !strings.Contains(stderr, m.host+"/mirror/loki:1.0@sha256:") || !m.wasAsked("loki") {
				t.Errorf("exit %d, the mirror was asked: %v; it says %q", code, m.wasAsked("loki"), stderr)
			}
			code, _, stderr = lab(t, append(args, absent)...)
			if code != 1 || !strings.Contains(stderr, absent) || strings.Contains(stderr, "folder is kept") {
				t.Errorf("without the file: exit %d, %q", code, stderr)
			}
		})
	}
}

// A verification's own cluster is only spoken of when there is one.
func TestOwnClusterStaysOnlyIfThere(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent.json")
	for name, test := range map[string]struct {
		names string
		stays bool
	}{
		"no cluster":            {"", false},
		"one of an earlier run": {ownCluster + "-control-plane", true},
	} {
		t.Run(name, func(t *testing.T) {
			fakeDocker(t, fmt.Sprintf("case $1 in ps) echo %s;; inspect) echo '[{}]';; *) exit 1;; esac\n", test.names))
			code, _, stderr := lab(t, "verify", "--target", "kind", "--up", "--images", absent)
			if code != 1 || !strings.Contains(stderr, absent) || strings.Contains(stderr, "stays") != test.stays {
				t.Errorf("exit %d, it says %q; want that a cluster stays: %v", code, stderr, test.stays)
			}
		})
	}
}
