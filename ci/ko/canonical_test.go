package main

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// original is a base for two processors with a layer and settings.
func original(t *testing.T, content, env string) v1.ImageIndex {
	t.Helper()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(content))), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	out := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		img := mutate.ConfigMediaType(mutate.MediaType(linux(t, arch), types.OCIManifestSchema1), types.OCIConfigJSON)
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.Config(img, v1.Config{Env: []string{env}, User: "65532", WorkingDir: "/home/nonroot"}); err != nil {
			t.Fatal(err)
		}
		out = mutate.AppendManifests(out, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return out
}

func digestOf(t *testing.T, index v1.ImageIndex) string {
	t.Helper()
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

var bothPlatforms = []string{"linux/amd64", "linux/arm64"}

func canonicalDigest(t *testing.T, base v1.ImageIndex, platforms []string) string {
	t.Helper()
	plain, err := canonical(base, platforms)
	if err != nil {
		t.Fatal(err)
	}
	return digestOf(t, plain)
}

// Whoever exports a base, and whenever, the canonical one is the same.
func TestCanonicalIsTheSameOfEveryExport(t *testing.T) {
	base := original(t, "layer", "PATH=/bin")
	want := canonicalDigest(t, base, bothPlatforms)
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(1_700_000_000, 0)} {
		copied, err := exportedAnew(base, at)
		if err != nil {
			t.Fatal(err)
		}
		if digestOf(t, copied) == digestOf(t, base) {
			t.Fatal("the export has the digest of the original, and proves nothing")
		}
		if got := canonicalDigest(t, copied, bothPlatforms); got != want {
			t.Errorf("canonical of the export of %s is %s, want %s", at, got, want)
		}
		again, err := exportedAnew(copied, at.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if got := canonicalDigest(t, again, bothPlatforms); got != want {
			t.Errorf("canonical of an export's export is %s, want %s", got, want)
		}
	}
	if got := canonicalDigest(t, base, []string{"linux/arm64/v8", "linux/amd64"}); got != want {
		t.Errorf("canonical for linux/arm64/v8 is %s, want that for linux/arm64, %s", got, want)
	}
}

// What makes another image of a base makes another canonical one.
func TestCanonicalTellsBasesApart(t *testing.T) {
	base := original(t, "layer", "PATH=/bin")
	want := canonicalDigest(t, base, bothPlatforms)
	for what, got := range map[string]string{
		"another layer":       canonicalDigest(t, original(t, "other", "PATH=/bin"), bothPlatforms),
		"another environment": canonicalDigest(t, original(t, "layer", "PATH=/sbin"), bothPlatforms),
		"fewer platforms":     canonicalDigest(t, base, []string{"linux/amd64"}),
	} {
		if got == want {
			t.Errorf("%s gives the same base", what)
		}
	}
}

func TestCanonicalKeepsLayersAndSettings(t *testing.T) {
	base := original(t, "layer", "PATH=/bin")
	plain, err := canonical(base, bothPlatforms)
	if err != nil {
		t.Fatal(err)
	}
	have, err := variants(plain)
	if err != nil || len(have) != 2 {
		t.Fatalf("%d platforms, %v", len(have), err)
	}
	want, err := variants(base)
	if err != nil {
		t.Fatal(err)
	}
	for i := range have {
		got, original := manifestOf(t, have[i]), manifestOf(t, want[i])
		if len(got.Layers) != 1 || got.Layers[0].Digest != original.Layers[0].Digest {
			t.Errorf("%s has the layers %v, want %v", have[i].platform, got.Layers, original.Layers)
		}
		cfg, err := have[i].ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cfg.Config.Env, []string{"PATH=/bin"}) || cfg.Config.User != "65532" || cfg.Config.WorkingDir != "/home/nonroot" {
			t.Errorf("%s has the settings %+v", have[i].platform, cfg.Config)
		}
		if !cfg.Created.IsZero() || len(cfg.History) != 1 || !cfg.History[0].Created.IsZero() {
			t.Errorf("%s has a time: %v, %+v", have[i].platform, cfg.Created, cfg.History)
		}
	}
}

func manifestOf(t *testing.T, img v1.Image) *v1.Manifest {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
