package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/ko/pkg/build"
)

// canonical reduces a base to the parts that all copies of it share. A copy that another
// tool has exported, such as Dagger's engine, has the very layers of the original,
// but a manifest and a configuration of its own, with the time of the export in them.
// Our images would get another digest from each.
//
// The result is an index of the wanted platforms alone, in the order of their names,
// all of OCI's types. An image has the base's layers and settings; it has no time, and
// one line of history a layer.
func canonical(base build.Result, wanted []string) (v1.ImageIndex, error) {
	images, err := variants(base)
	if err != nil {
		return nil, err
	}
	out := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, img := range images {
		if !slices.ContainsFunc(wanted, func(p string) bool { return matches(img.platform, withoutV8(p)) }) {
			continue
		}
		platform, err := v1.ParsePlatform(img.platform)
		if err != nil {
			return nil, err
		}
		plain, err := canonicalImage(img.Image, *platform)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", img.platform, err)
		}
		out = mutate.AppendManifests(out, mutate.IndexAddendum{Add: plain, Descriptor: v1.Descriptor{Platform: platform}})
	}
	return out, nil
}

// variants lists the images of a base by their platforms, sorted.
func variants(base build.Result) ([]platformImage, error) {
	all, err := (result{program{name: "base"}, base}).platforms()
	for i := range all {
		all[i].platform = withoutV8(all[i].platform)
	}
	slices.SortFunc(all, func(a, b platformImage) int { return cmp.Compare(a.platform, b.platform) })
	return all, err
}

// withoutV8 leaves out the variant that every arm64 has; some tools write it.
func withoutV8(platform string) string {
	if base, ok := strings.CutSuffix(platform, "/v8"); ok && strings.HasSuffix(base, "/arm64") {
		return base
	}
	return platform
}

func canonicalImage(img v1.Image, platform v1.Platform) (v1.Image, error) {
	have, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	settings := have.Config
	settings.Hostname, settings.Domainname, settings.Image = "", "", "" // of the machine and the container that built it
	out := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	out, err = mutate.ConfigFile(out, &v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant, OSVersion: have.OSVersion,
		Config: settings, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	for i, layer := range layers {
		kind := manifest.Layers[i].MediaType
		if kind == types.DockerLayer { // the same bytes under another name
			kind = types.OCILayer
		}
		out, err = mutate.Append(out, mutate.Addendum{Layer: layer, MediaType: kind, History: v1.History{CreatedBy: "base image"}})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// exportedAnew is a copy of a base as another tool might export it: with the very
// layers, but other manifests and configurations, a time in them, and the platforms
// in another order. Images built on it must be the same; `lab images reproduce` proves
// that.
func exportedAnew(base build.Result, at time.Time) (v1.ImageIndex, error) {
	images, err := variants(base)
	if err != nil {
		return nil, err
	}
	out := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for _, img := range slices.Backward(images) {
		cfg, err := img.ConfigFile()
		if err != nil {
			return nil, err
		}
		cfg = cfg.DeepCopy()
		cfg.Created = v1.Time{Time: at}
		cfg.Author, cfg.Container, cfg.Config.Hostname = "export", "c0ffee", "exporter"
		cfg.History = nil
		for range cfg.RootFS.DiffIDs {
			cfg.History = append(cfg.History, v1.History{Created: v1.Time{Time: at}, CreatedBy: "export", Comment: "exported anew"})
		}
		if cfg.Architecture == "arm64" {
			cfg.Variant = "v8"
		}
		copied, err := mutate.ConfigFile(mutate.MediaType(img.Image, types.DockerManifestSchema2), cfg)
		if err != nil {
			return nil, err
		}
		out = mutate.AppendManifests(out, mutate.IndexAddendum{Add: copied, Descriptor: v1.Descriptor{Platform: cfg.Platform()}})
	}
	return out, nil
}
