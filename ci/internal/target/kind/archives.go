package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// archive is an image that the lab runs, in a file.
type archive struct {
	name, file string
	ref        string // the image's name once it is loaded
}

// archives gets every image that the lab runs as a file. It takes the images that are in
// the directory of --archives, builds our own that are missing, and pulls the others.
func (t *Target) archives(ctx context.Context, c *cluster.Cluster, root string) ([]archive, error) {
	lock, err := t.o.Lock()
	if err != nil {
		return nil, err
	}
	arch, err := c.Arch(ctx)
	if err != nil {
		return nil, err
	}
	all, missing, err := t.given(lock, "linux/"+arch)
	if err != nil || len(missing) == 0 {
		return all, err
	}
	dir, err := t.path("images")
	if err != nil {
		return nil, err
	}
	pulled, err := t.pull(ctx, lock, missing, "linux/"+arch, dir)
	if err != nil {
		return nil, err
	}
	built, err := t.build(ctx, missing, root, "linux/"+arch, dir)
	return slices.Concat(all, pulled, built), err
}

// given finds the images in the directory of --archives, and returns the names of those
// that are missing.
func (t *Target) given(lock images.Lock, platform string) (all []archive, missing []string, err error) {
	for _, name := range slices.Concat(build.Names(), t.clusterImages()) {
		file := ""
		if t.o.Archives != "" {
			if file, err = t.findArchive(lock, name, t.o.Archives, platform); err != nil {
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
			return nil, nil, fmt.Errorf("%s: the image in it has no name; `lab images pack` gives it the lock's name", file)
		}
		all = append(all, archive{name, file, a.Tags[0]})
	}
	if t.o.Archives != "" && len(missing) > 0 {
		t.say(fmt.Sprintf("not in %s, so built or pulled: %s", t.o.Archives, strings.Join(missing, ", ")))
	}
	return all, missing, nil
}

// findArchive returns the file of one image in a directory; "" when the image is not there.
func (t *Target) findArchive(lock images.Lock, name, dir, platform string) (string, error) {
	img, err := lock.Get(name)
	if errors.Is(err, images.ErrUnknown) { // one of our own images, which the lock does not have
		return images.FindNamed(dir, name), nil
	}
	if err != nil {
		return "", err
	}
	file, others := img.Find(dir, platform)
	for _, other := range others {
		t.say(fmt.Sprintf("ignoring %s: it is not for %s, or not the %s of the image lock", other, platform, name))
	}
	return file, nil
}

// nodeArchive returns the file of the nodes' image in the directory of --archives; "" when
// there is no such file.
func (t *Target) nodeArchive(ctx context.Context, c *cluster.Cluster) (string, error) {
	if t.o.Archives == "" {
		return "", nil
	}
	if t.o.NodeImage != "" { // another image than the lock's
		return images.FindNamed(t.o.Archives, images.Node), nil
	}
	lock, err := t.o.Lock()
	if err != nil {
		return "", err
	}
	arch, err := c.Arch(ctx)
	if err != nil {
		return "", err
	}
	return t.findArchive(lock, images.Node, t.o.Archives, "linux/"+arch)
}

// clusterImages are the images that a cluster runs and that other projects have made.
func (t *Target) clusterImages() []string {
	names := slices.Clone(images.Workloads())
	if t.o.MetricsServer {
		names = append(names, images.MetricsServer)
	}
	return names
}

// pull fetches those of the missing images that are in the lock.
func (t *Target) pull(ctx context.Context, lock images.Lock, missing []string, platform, dir string) ([]archive, error) {
	var all []archive
	for _, name := range missing {
		if slices.Contains(build.Names(), name) {
			continue
		}
		img, err := lock.Get(name)
		if err != nil {
			return nil, err
		}
		a, err := images.Pull(ctx, img, platform, dir, images.PullOptions{
			Progress: t.o.Transfer(name),
			Waiting:  func() { t.say(filelock.Waiting(name)) },
			Retrying: func(err error) { t.say(fmt.Sprintf("%s: %v; trying again", name, err)) },
		})
		if err != nil {
			return nil, err
		}
		all = append(all, archive{name, a.Path, a.Tag})
	}
	return all, nil
}

// build builds our own images, when one of them is missing.
func (t *Target) build(ctx context.Context, missing []string, root, platform, dir string) ([]archive, error) {
	if !slices.ContainsFunc(missing, func(name string) bool { return slices.Contains(build.Names(), name) }) {
		return nil, nil
	}
	if root == "" {
		return nil, fmt.Errorf("the images of %s are built from the lab's sources. Call this again in a checkout (git clone https://%s), or give the images as files with --archives",
			strings.Join(build.Names(), ", "), checkout.Module)
	}
	base, err := t.base()
	if err != nil {
		return nil, err
	}
	cache, err := t.path("cache", "ko")
	if err != nil {
		return nil, err
	}
	built, err := build.Build(ctx, build.Options{
		Root: root, Base: base, Platforms: []string{platform}, LoadPlatform: platform, Out: dir, Cache: cache, Progress: t.say,
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

// base returns the base of our own images: the layout in the directory of --archives if it
// is there, else the lock's reference.
func (t *Target) base() (string, error) {
	lock, err := t.o.Lock()
	if err != nil {
		return "", err
	}
	img, err := lock.Get(images.Base)
	if err != nil {
		return "", err
	}
	if t.o.Archives != "" {
		if layout := img.FindLayout(t.o.Archives); layout != "" {
			return layout, nil
		}
	}
	return img.Reference(), nil
}
