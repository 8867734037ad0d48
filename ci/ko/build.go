package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/ko/pkg/build"
)

// program is one image and the command in it.
type program struct{ name, pkg string }

// programs are the images of the lab.
var programs = []program{
	{"frontend", "./services/frontend"},
	{"backend", "./services/backend"},
	{"lab", "./ci/lab"},
}

// user runs the programs: nonroot of the static base. As a number, because
// Kubernetes cannot tell of a name whether it is root.
const user = "65532"

// result is one built image, in memory.
type result struct {
	program
	build.Result
}

// buildAll builds every program for every platform. Programs come one after the
// other, because they share most of their packages and two compilers at once
// would compile these twice; the platforms of one program share nothing and are
// built together.
func buildAll(ctx context.Context, o options, cfg config, b base) ([]result, error) {
	// ko's library reads the working directory's module in places where it does
	// not pass on the one it is given.
	if err := os.Chdir(o.root); err != nil {
		return nil, err
	}
	plain, err := canonical(b.result, o.platform)
	if err != nil {
		return nil, fmt.Errorf("base image: %w", err)
	}
	renaming, err := newRenaming(b, plain)
	if err != nil {
		return nil, err
	}
	ko, err := build.NewGo(ctx, o.root,
		build.WithBaseImages(func(context.Context, string) (name.Reference, build.Result, error) {
			return b.ref, plain, nil
		}),
		build.WithPlatforms(slices.Clone(o.platform)...),
		build.WithTrimpath(true),
		build.WithDefaultEnv(cfg.Env),
		build.WithDefaultFlags(cfg.Flags),
		build.WithDefaultLdflags(cfg.Ldflags),
		build.WithUser(user),
		build.WithSPDX(koVersion()),
		build.WithSBOMDir(filepath.Join(o.out, "sbom")),
	)
	if err != nil {
		return nil, err
	}
	var out []result
	for _, p := range programs {
		begin := time.Now()
		path, err := ko.QualifyImport(p.pkg)
		if err != nil {
			return nil, err
		}
		r, err := ko.Build(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		if r, err = renaming.result(r); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		digest, err := r.Digest()
		if err != nil {
			return nil, err
		}
		log.Printf("%s is %s (%.1f s)", p.name, digest, time.Since(begin).Seconds())
		out = append(out, result{p, r})
	}
	return out, renaming.files(filepath.Join(o.out, "sbom"))
}

// platformImage is the image of r for one platform.
type platformImage struct {
	platform string
	v1.Image
}

// platforms lists the images in r, in the order of the base image.
func (r result) platforms() ([]platformImage, error) {
	if img, ok := r.Result.(v1.Image); ok {
		c, err := img.ConfigFile()
		if err != nil {
			return nil, err
		}
		return []platformImage{{c.Platform().String(), img}}, nil
	}
	index, ok := r.Result.(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("%s: neither an image nor an index but %T", r.name, r.Result)
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var out []platformImage
	for _, d := range m.Manifests {
		if !d.MediaType.IsImage() {
			continue
		}
		img, err := index.Image(d.Digest)
		if err != nil {
			return nil, err
		}
		if d.Platform == nil { // some tools leave it to the configuration
			c, err := img.ConfigFile()
			if err != nil {
				return nil, err
			}
			d.Platform = c.Platform()
		}
		out = append(out, platformImage{d.Platform.String(), img})
	}
	return out, nil
}
