package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
)

// loadParallel is the number of images that are unpacked at a time. More would only wait
// for the same disk.
const loadParallel = 2

// Loaded is the result of Load.
type Loaded struct {
	// New has the images that at least one node did not have, Present those that every
	// node had already; both by the image's first name.
	New, Present []string
}

// Load gives every node the images in the archives. It does not send an image again that a
// node has already, under every name that the archive has for it.
func (c *Cluster) Load(ctx context.Context, files []string) (Loaded, error) {
	var done Loaded
	targets, err := c.listNodes()
	if err != nil {
		return done, err
	}
	var archives []Archive
	for _, file := range files {
		a, err := ReadArchive(file)
		if err != nil {
			return done, err
		}
		if len(a.Tags) == 0 {
			return done, fmt.Errorf("%s: the image in it has no name", file)
		}
		archives = append(archives, a)
	}
	missing := map[string][]nodes.Node{}
	for _, n := range targets {
		have, err := nodeImages(ctx, n)
		if err != nil {
			return done, err
		}
		for _, a := range archives {
			if !have.has(a) {
				missing[a.File] = append(missing[a.File], n)
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loadParallel)
	for _, a := range archives {
		title := a.Tags[0]
		if len(missing[a.File]) == 0 {
			done.Present = append(done.Present, title)
			continue
		}
		done.New = append(done.New, title)
		for _, n := range missing[a.File] {
			group.Go(func() error { return c.send(ctx, n, a) })
		}
	}
	return done, group.Wait()
}

// send imports an archive into a node's containerd.
func (c *Cluster) send(ctx context.Context, n nodes.Node, a Archive) error {
	f, err := os.Open(a.File)
	if err != nil {
		return err
	}
	defer f.Close()
	begin := time.Now()
	err = nodeutils.LoadImageArchive(n, untilDone{ctx, f})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("loading %s into %s: %w", filepath.Base(a.File), n, quoted(err))
	}
	c.say("image %s loaded, %d MB in %.1f s", a.Tags[0], a.Size>>20, time.Since(begin).Seconds())
	return nil
}

// untilDone is a file whose reads fail once ctx has ended: Kind offers no other way to end
// a load.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(p)
}

// imageSet is the names of a node's images by id.
type imageSet map[string][]string

// has tells whether the node has the image under all its names.
func (s imageSet) has(a Archive) bool {
	names, ok := s[a.ID]
	for _, tag := range a.Tags {
		ok = ok && slices.Contains(names, canonical(tag))
	}
	return ok
}

// canonical returns a name in containerd's form: with its registry.
func canonical(tag string) string {
	ref, err := name.NewTag(tag)
	if err != nil {
		return tag
	}
	return strings.Replace(ref.Name(), name.DefaultRegistry, "docker.io", 1)
}

// nodeImages asks a node's containerd for its images.
func nodeImages(ctx context.Context, n nodes.Node) (imageSet, error) {
	var out bytes.Buffer
	if err := inNode(ctx, n, &out, "ctr", "--namespace=k8s.io", "images", "list"); err != nil {
		return nil, fmt.Errorf("listing the images of %s: %w", n, err)
	}
	return parseImages(out.String()), nil
}

// parseImages reads the output of `ctr images list`: a line for every name, with the digest
// of the name's manifest. Kubernetes' runtime gives each image one more name, the image's
// id: "sha256:" and the digest of its configuration.
func parseImages(list string) imageSet {
	byManifest := map[string][]string{}
	for line := range strings.Lines(list) {
		// REF TYPE DIGEST SIZE PLATFORMS LABELS
		if f := strings.Fields(line); len(f) > 2 && strings.HasPrefix(f[2], "sha256:") {
			byManifest[f[2]] = append(byManifest[f[2]], f[0])
		}
	}
	set := imageSet{}
	for _, names := range byManifest {
		for _, id := range names {
			if strings.HasPrefix(id, "sha256:") {
				set[id] = names
			}
		}
	}
	return set
}
