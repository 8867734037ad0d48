// Package build makes the container images of frontend, backend and lab, without
// any container runtime. The work is done by the program in ci/ko, a module of
// its own; this package runs that program and reads its results.
//
// An image depends on the checkout, on the content of the base image and on the
// Go version in .ko.yaml, and on nothing else: [Reproduce] proves it.
package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
)

// DigestsFile is the name of the list of images in [Options].Out.
const DigestsFile = "digests.json"

// Names lists the images, in the order in which they are built.
func Names() []string { return []string{"frontend", "backend", "lab"} }

// Options say what to build. Root and Out are required.
type Options struct {
	Root string // the checkout
	// Base is a reference with a digest, or the path of an OCI layout, a directory
	// or a tar file. Empty is the base of .ko.yaml, which is that of the image lock.
	Base string
	// BaseReference is the pinned reference of the image that the layout Base is an
	// export of. It is for tools that write manifests and configurations anew, such
	// as Dagger's engine; such a layout has another digest than the image. Empty
	// takes the digest of the layout.
	BaseReference string
	// Platforms, as "linux/arm64"; none means those of .ko.yaml. The digest of an
	// image for one platform is not that of an image for several.
	Platforms []string
	// LoadPlatform is the one in NAME.tar; empty is linux on this machine's
	// processor, or the first of Platforms if that is not among them.
	LoadPlatform string
	Out          string       // the directory for archives, SBOMs and digests.json; made if absent
	Version      string       // what the services report as service.version; empty is "dev"
	Cache        string       // a directory that makes the next build quicker; empty keeps nothing
	Publish      string       // push to Publish/NAME too; empty pushes nothing
	Insecure     bool         // speak plain HTTP with the registries of Base and Publish
	Login        *Login       // who pushes; nil: whom `docker login` has stored
	Progress     func(string) // told a line at a time how far it is; may be nil

	baseAnew bool     // see Reproduce
	gocache  string   // another compiler's cache than the user's, or than Reproduce's empty ones
	env      []string // more environment
}

// Image is one built image. Files are absolute paths.
type Image struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // of the index; of the image if there is only one platform
	// Tag is "lgtm-lab/NAME:sha256-" and the first 12 digits of Digest: what the
	// image in Tarball is called once it is loaded.
	Tag             string     `json:"tag"`
	Reference       string     `json:"reference,omitempty"` // where it was pushed, with tag and digest
	Platforms       []Platform `json:"platforms"`
	Archive         string     `json:"archive"` // an OCI layout of all platforms in a tar file
	ArchiveSize     int64      `json:"archive_bytes"`
	Tarball         string     `json:"tarball"` // TarballPlatform alone, for `docker load` and kind
	TarballSize     int64      `json:"tarball_bytes"`
	TarballPlatform string     `json:"tarball_platform"`
}

// Platform is an image's variant for one platform.
type Platform struct {
	Platform string `json:"platform"`   // "linux/amd64"
	Digest   string `json:"digest"`     // of the manifest
	ID       string `json:"id"`         // of the configuration; container runtimes list it as the image's ID
	Size     int64  `json:"size_bytes"` // bytes of all layers, compressed
}

// ErrNoBuilder is wrapped by the error of [Build] when the builder itself cannot be
// compiled: there is no Go, or the builder's modules cannot be had.
var ErrNoBuilder = errors.New("the image builder cannot be compiled")

// Build builds all images and writes them to o.Out. The error quotes what the
// compiler or the registry said; when ctx ends, it is the cause.
func Build(ctx context.Context, o Options) ([]Image, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	unlock, err := o.lock(ctx)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer unlock()
	forget, err := o.logIn()
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer forget()
	if err := runBuilder(ctx, o); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	return Read(o.Out)
}

func (o *Options) check() error {
	if o.Root == "" || o.Out == "" {
		return errors.New("the checkout and the output directory must be given")
	}
	for _, p := range []*string{&o.Root, &o.Out, &o.Cache} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	for _, p := range append(append([]string{}, o.Platforms...), o.LoadPlatform) {
		if p != "" && strings.Count(p, "/") == 0 {
			return fmt.Errorf("platform %q: write os/architecture, as linux/amd64", p)
		}
	}
	if o.BaseReference != "" {
		if _, err := name.NewDigest(o.BaseReference); err != nil {
			return fmt.Errorf("base reference %q is not pinned by a digest", o.BaseReference)
		}
	}
	if o.Base == "" {
		return nil
	}
	// A path is made absolute, because the builder runs elsewhere.
	if _, err := os.Stat(o.Base); err == nil {
		o.Base, err = filepath.Abs(o.Base)
		return err
	}
	if _, err := name.NewDigest(o.Base); err != nil {
		return fmt.Errorf("base %q is neither an OCI layout on this machine nor a reference with a digest", o.Base)
	}
	return nil
}

// lock waits until no other process builds with the same cache: both would write
// their binaries to the same files.
func (o Options) lock(ctx context.Context) (unlock func(), err error) {
	if o.Cache == "" {
		return func() {}, nil
	}
	return filelock.Acquire(ctx, filepath.Join(o.Cache, "lock"), func() {
		if o.Progress != nil {
			o.Progress(filelock.Waiting("images with the cache " + o.Cache))
		}
	})
}

// Read reads the list of the images in dir, which [Build] has written. It fails
// if one is missing or one of its files is not there whole.
func Read(dir string) ([]Image, error) {
	file := filepath.Join(dir, DigestsFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list struct {
		Images []Image `json:"images"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for i := range list.Images {
		img := &list.Images[i]
		have[img.Name] = true
		img.Archive, img.Tarball = filepath.Join(dir, img.Archive), filepath.Join(dir, img.Tarball)
		if err := errors.Join(whole(img.Archive, img.ArchiveSize), whole(img.Tarball, img.TarballSize)); err != nil {
			return nil, fmt.Errorf("%s: image %s: %w", file, img.Name, err)
		}
	}
	for _, name := range Names() {
		if !have[name] {
			return nil, fmt.Errorf("%s: image %s is missing", file, name)
		}
	}
	return list.Images, nil
}

func whole(file string, size int64) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("%s has %d bytes, not %d", file, info.Size(), size)
	}
	return nil
}
