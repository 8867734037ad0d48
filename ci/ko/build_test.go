package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// littleCheckout has the three programs, each of one empty function.
func littleCheckout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"go.mod":   "module github.com/lgtm-lab/lgtm-lab\n\ngo 1.26\n",
		".ko.yaml": "defaultBaseImage: x/y@sha256:" + strings.Repeat("0", 64) + "\ndefaultPlatforms: [linux/amd64, linux/arm64]\ndefaultEnv: [CGO_ENABLED=0, GOTOOLCHAIN=" + runtime.Version() + ", GOWORK=off, GOFLAGS=-mod=readonly]\n",
	}
	for _, p := range programs {
		files[p.pkg+"/main.go"] = "package main\n\nfunc main() {}\n"
	}
	for file, text := range files {
		path := filepath.Join(root, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestTwoPlatforms builds for both processors: an index, an archive of all of it,
// and a tarball of the processor asked for.
func TestTwoPlatforms(t *testing.T) {
	// run sets these for its own process, which is the test's.
	for _, name := range []string{"CGO_ENABLED", "GOTOOLCHAIN", "GOWORK", "GOFLAGS", "LAB_VERSION", "KOCACHE", "GOTMPDIR"} {
		t.Setenv(name, os.Getenv(name))
	}
	t.Chdir(".")
	base, out := t.TempDir(), t.TempDir()
	path, err := layout.Write(base, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(index(t, "amd64", "arm64")); err != nil {
		t.Fatal(err)
	}
	args := []string{"--root", littleCheckout(t), "--base", base, "--out", out, "--load-platform", "linux/arm64", "--cache", t.TempDir()}
	var stderr bytes.Buffer
	if err := run(t.Context(), args, nil, nil, &stderr); err != nil {
		t.Fatalf("run() = %v\n%s", err, &stderr)
	}
	list := readDigests(out)
	if len(list.Images) != len(programs) {
		t.Fatalf("digests.json lists %d images, want %d", len(list.Images), len(programs))
	}
	for _, img := range list.Images {
		if len(img.Platforms) != 2 || img.Platforms[0].Platform != "linux/amd64" || img.Platforms[1].Platform != "linux/arm64" {
			t.Fatalf("%s: platforms %+v", img.Name, img.Platforms)
		}
		tag, err := name.NewTag(img.Tag)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := tarball.ImageFromPath(filepath.Join(out, img.Tarball), &tag)
		if err != nil {
			t.Fatalf("%s: %v", img.Name, err)
		}
		id, err := loaded.ConfigName()
		if err != nil || id.String() != img.Platforms[1].ID || img.TarballPlatform != "linux/arm64" {
			t.Errorf("%s: the tarball has %s (%v), want that for arm64, %s", img.Name, id, err, img.Platforms[1].ID)
		}
		unpacked, err := untar(filepath.Join(out, img.Archive))
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(unpacked)
		top, err := layout.ImageIndexFromPath(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		m, err := top.IndexManifest()
		if err != nil || len(m.Manifests) != 1 || m.Manifests[0].Digest.String() != img.Digest || !m.Manifests[0].MediaType.IsIndex() {
			t.Errorf("%s: the archive has %+v (%v), want the index %s", img.Name, m, err, img.Digest)
		}
		for _, kind := range []string{"linux-amd64", "linux-arm64", "index"} {
			if _, err := os.Stat(filepath.Join(out, "sbom", img.Name+"-"+kind+".spdx.json")); err != nil {
				t.Errorf("SBOM: %v", err)
			}
		}
	}

	// What is the same is not written again.
	before := modified(t, out)
	if err := run(t.Context(), args, nil, nil, &stderr); err != nil {
		t.Fatalf("second run() = %v\n%s", err, &stderr)
	}
	if after := modified(t, out); before != after {
		t.Errorf("the second build rewrote an archive:\n%s\nwas\n%s", after, before)
	}
}

// modified lists the archives with their dates.
func modified(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, p := range programs {
		for _, file := range []string{p.name + ".oci.tar", p.name + ".tar"} {
			info, err := os.Stat(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(file + " " + info.ModTime().String() + "\n")
		}
	}
	return b.String()
}
