package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cluster"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// archive is an image that the lab runs, in a file.
type archive struct {
	name, file string
	ref        string // what it is called once it is loaded
}

// archives gets every image that the lab runs as a file: those in the directory
// that was given are taken from there, of the rest ours are built and the others
// are pulled.
func (s kindSite) archives(ctx context.Context, c *cluster.Cluster, flags upFlags, root string) ([]archive, error) {
	var all []archive
	var missing []string
	for _, name := range slices.Concat(build.Names(), clusterImages(flags)) {
		file := filepath.Join(flags.archives, name+".tar")
		if flags.archives == "" || !isFile(file) {
			missing = append(missing, name)
			continue
		}
		a, err := cluster.ReadArchive(file)
		if err != nil {
			return nil, err
		}
		if len(a.Tags) == 0 {
			return nil, fmt.Errorf("%s: the image in it has no name", file)
		}
		all = append(all, archive{name, file, a.Tags[0]})
	}
	if len(missing) == 0 {
		return all, nil
	}
	if flags.archives != "" {
		s.say(fmt.Sprintf("not in %s, so built or pulled: %s", flags.archives, strings.Join(missing, ", ")))
	}
	arch, err := c.Arch(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := s.e.labPath("images")
	if err != nil {
		return nil, err
	}
	pulled, err := s.pull(ctx, flags, missing, "linux/"+arch, dir)
	if err != nil {
		return nil, err
	}
	built, err := s.build(ctx, flags, missing, root, "linux/"+arch, dir)
	return slices.Concat(all, pulled, built), err
}

// clusterImages are the images that others have made.
func clusterImages(flags upFlags) []string {
	names := slices.Clone(images.Workloads())
	if flags.metricsServer {
		names = append(names, images.MetricsServer)
	}
	return names
}

// pull fetches those of the missing images that are in the lock.
func (s kindSite) pull(ctx context.Context, flags upFlags, missing []string, platform, dir string) ([]archive, error) {
	lock, err := s.e.imageLock(flags.images)
	if err != nil {
		return nil, err
	}
	var all []archive
	for _, name := range missing {
		if slices.Contains(build.Names(), name) {
			continue
		}
		img, err := lock.Get(name)
		if err != nil {
			return nil, err
		}
		a, err := images.Pull(ctx, img, platform, dir, images.PullOptions{Progress: s.e.transfer(name)})
		if err != nil {
			return nil, err
		}
		all = append(all, archive{name, a.Path, a.Tag})
	}
	return all, nil
}

// build builds ours, when one of them is missing.
func (s kindSite) build(ctx context.Context, flags upFlags, missing []string, root, platform, dir string) ([]archive, error) {
	if !slices.ContainsFunc(missing, func(name string) bool { return slices.Contains(build.Names(), name) }) {
		return nil, nil
	}
	base, err := s.e.buildBase("", flags.images)
	if err != nil {
		return nil, err
	}
	cache, err := s.e.labPath("cache", "ko")
	if err != nil {
		return nil, err
	}
	built, err := build.Build(ctx, build.Options{
		Root: root, Base: base, Platforms: []string{platform}, LoadPlatform: platform, Out: dir, Cache: cache, Progress: s.say,
	})
	if err != nil {
		return nil, err
	}
	var all []archive
	for _, img := range built {
		if slices.Contains(missing, img.Name) {
			all = append(all, archive{img.Name, img.Tarball, img.Tag})
		}
	}
	return all, nil
}
