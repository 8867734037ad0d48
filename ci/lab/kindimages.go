package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
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
	lock, err := s.e.imageLock(flags.images)
	if err != nil {
		return nil, err
	}
	arch, err := c.Arch(ctx)
	if err != nil {
		return nil, err
	}
	all, missing, err := s.given(lock, flags, "linux/"+arch)
	if err != nil || len(missing) == 0 {
		return all, err
	}
	dir, err := s.e.labPath("images")
	if err != nil {
		return nil, err
	}
	pulled, err := s.pull(ctx, lock, missing, "linux/"+arch, dir)
	if err != nil {
		return nil, err
	}
	built, err := s.build(ctx, flags, missing, root, "linux/"+arch, dir)
	return slices.Concat(all, pulled, built), err
}

// given finds the images in the directory that was given, and says which are not
// there.
func (s kindSite) given(lock images.Lock, flags upFlags, platform string) (all []archive, missing []string, err error) {
	for _, name := range slices.Concat(build.Names(), clusterImages(flags)) {
		file := ""
		if flags.archives != "" {
			if file, err = s.findArchive(lock, name, flags.archives, platform); err != nil {
				return nil, nil, err
			}
		}
		if file == "" {
			missing = append(missing, name)
			continue
		}
		a, err := cluster.ReadArchive(file)
		if err != nil {
			return nil, nil, err
		}
		if len(a.Tags) == 0 {
			return nil, nil, fmt.Errorf("%s: the image in it has no name; `lab images pack` gives it that of the lock", file)
		}
		all = append(all, archive{name, file, a.Tags[0]})
	}
	if flags.archives != "" && len(missing) > 0 {
		s.say(fmt.Sprintf("not in %s, so built or pulled: %s", flags.archives, strings.Join(missing, ", ")))
	}
	return all, missing, nil
}

// findArchive finds one image in a directory; "" when it is not there.
func (s kindSite) findArchive(lock images.Lock, name, dir, platform string) (string, error) {
	img, err := lock.Get(name)
	if errors.Is(err, images.ErrUnknown) { // ours: built here, and named by nobody else
		if file := filepath.Join(dir, name+".tar"); isFile(file) {
			return file, nil
		}
		return "", nil
	}
	if err != nil {
		return "", err
	}
	file, others := img.Find(dir, platform)
	for _, other := range others {
		s.say(fmt.Sprintf("%s is not taken: it is not for %s, or not the %s of the image lock", other, platform, name))
	}
	return file, nil
}

// nodeArchive is the file in the directory that was given that the nodes' image is
// loaded from; "" when there is none.
func (s kindSite) nodeArchive(ctx context.Context, c *cluster.Cluster, flags upFlags) (string, error) {
	if flags.archives == "" {
		return "", nil
	}
	plain := filepath.Join(flags.archives, images.Node+".tar")
	if flags.nodeImage != "" { // not the lock's
		if isFile(plain) {
			return plain, nil
		}
		return "", nil
	}
	lock, err := s.e.imageLock(flags.images)
	if err != nil {
		return "", err
	}
	arch, err := c.Arch(ctx)
	if err != nil {
		return "", err
	}
	return s.findArchive(lock, images.Node, flags.archives, "linux/"+arch)
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
func (s kindSite) pull(ctx context.Context, lock images.Lock, missing []string, platform, dir string) ([]archive, error) {
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
	base, err := s.base(flags)
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

// base is what ours are built on: the layout in the directory that was given, if it
// has it.
func (s kindSite) base(flags upFlags) (string, error) {
	lock, err := s.e.imageLock(flags.images)
	if err != nil {
		return "", err
	}
	img, err := lock.Get(images.Base)
	if err != nil {
		return "", err
	}
	if flags.archives != "" {
		if layout := img.FindLayout(flags.archives); layout != "" {
			return layout, nil
		}
	}
	return img.Reference(), nil
}
