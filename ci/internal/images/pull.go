package images

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry"
)

// PullOptions say how [Pull] reaches a registry. The zero value is for public
// registries and the user's cache.
type PullOptions struct {
	// Insecure, Transport and FirstPause are those of [registry.Client].
	Insecure   []string
	Transport  http.RoundTripper
	FirstPause time.Duration
	// Cache is the folder in which layers are until the archive is whole; "" is that
	// of [cachedir.Default].
	Cache string
	// Progress, Waiting and Retrying are those of [registry.Progress]: the bytes that
	// are there and of how many, that another process is at work on the same, and
	// why a download broke off that is taken up again. Each may be nil.
	Progress func(done, total int64)
	Waiting  func()
	Retrying func(error)
}

func (o PullOptions) client() registry.Client {
	return registry.Client{Insecure: o.Insecure, Transport: o.Transport, FirstPause: o.FirstPause}
}

func (o PullOptions) fetch(ctx context.Context, store registry.Store, ref name.Digest, layers []v1.Descriptor) (*registry.Blobs, error) {
	return store.Fetch(ctx, o.client(), ref.Context(), layers, registry.Progress{Bytes: o.Progress, Waiting: o.Waiting, Retrying: o.Retrying})
}

// Archive is a pulled image in a file.
type Archive struct {
	Image    Image  `json:"-"`
	Path     string `json:"path"`               // absolute if the directory was
	Tag      string `json:"tag"`                // the RepoTag in it: repository:tag, without a digest
	Platform string `json:"platform,omitempty"` // "linux/amd64"
	ID       string `json:"id,omitempty"`       // digest of the configuration, the ID that container runtimes list
	Size     int64  `json:"size_bytes"`         // bytes of the file
	Kept     bool   `json:"kept"`               // it was there already and nothing was transferred
}

// RepoTag is the name of the image in a cluster that has loaded it: repository:tag. A
// runtime that loads an archive knows no digest of an index.
func (i Image) RepoTag() string { return i.Repository + ":" + i.Tag }

// ArchiveName is the name of the file that [Pull] makes. It has the digest in it,
// so that a file of that name can only be that image.
func (i Image) ArchiveName(platform string) string {
	_, arch, _ := strings.Cut(platform, "/")
	return fmt.Sprintf("%s-%s-%s.tar", i.Name, strings.ReplaceAll(arch, "/", "-"), strings.TrimPrefix(i.Digest, "sha256:"))
}

// Pull writes img for one platform ("linux/amd64") to dir, as an archive like that
// of `docker save`, under [Image.ArchiveName]. Everything that the registry sends
// is compared with the digest in the lock. If the archive is there already, the
// registry is not asked. A pull that fails or is cancelled leaves nothing in dir; the
// layers that it has stay in the cache, for the next one.
//
// Credentials are those that `docker login` has stored.
func Pull(ctx context.Context, img Image, platform, dir string, o PullOptions) (Archive, error) {
	p, err := v1.ParsePlatform(platform)
	if err != nil || p.OS == "" || p.Architecture == "" {
		return Archive{}, fmt.Errorf("image %s: %s: platform %q: write os/architecture, as linux/amd64", img.Name, img.Reference(), platform)
	}
	a := Archive{Image: img, Path: filepath.Join(dir, img.ArchiveName(platform)), Tag: img.RepoTag(), Platform: platform}
	return a.pull(ctx, o, a.there, func(ref name.Digest, store registry.Store) error {
		image, err := o.client().Image(ctx, ref, *p)
		if err != nil {
			return err
		}
		manifest, err := image.Manifest()
		if err != nil {
			return err
		}
		blobs, err := o.fetch(ctx, store, ref, manifest.Layers)
		if err != nil {
			return err
		}
		if err := a.write(blobs.Image(image)); err != nil {
			blobs.Keep()
			return err
		}
		return blobs.Delete()
	})
}

// pull is the common part of [Pull] and [PullLayout]: it keeps an archive that is there,
// and otherwise gets one, while no other process writes to the same folder.
func (a *Archive) pull(ctx context.Context, o PullOptions, there func() bool, get func(name.Digest, registry.Store) error) (Archive, error) {
	fail := func(err error) (Archive, error) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Archive{}, fmt.Errorf("image %s: %s: %w", a.Image.Name, a.Image.Reference(), registry.Plain(err))
	}
	if there() {
		a.Kept = true
		return *a, nil
	}
	cache := o.Cache
	if cache == "" {
		var err error
		if cache, err = cachedir.Default(); err != nil {
			return fail(err)
		}
	}
	unlock, err := lockFolder(ctx, cache, filepath.Dir(a.Path), o.Waiting)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if there() { // another process has pulled it meanwhile
		a.Kept = true
		return *a, nil
	}
	ref, err := o.client().Reference(a.Image.Pinned())
	if err == nil {
		err = get(ref, registry.StoreIn(cache))
	}
	if err != nil {
		return fail(err)
	}
	if !there() {
		return fail(fmt.Errorf("the archive %s cannot be read back", a.Path))
	}
	return *a, nil
}

// lockFolder keeps other processes from pulling to dir, and deletes the unfinished
// archive of a killed one. The lock is in the cache: dir is for archives alone.
func lockFolder(ctx context.Context, cache, dir string, waiting func()) (unlock func(), err error) {
	if err := cachedir.Make(cache); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte(abs))
	unlock, err = filelock.Acquire(ctx, filepath.Join(cache, "locks", fmt.Sprintf("archives-%x.lock", key[:8])), waiting)
	if err != nil {
		return nil, err
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"+unfinished))
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// there tells whether the archive is in its place, whole and under its tag. It sets a.ID
// and a.Size. The list of contents is the last entry of the file, so a file that was cut
// short has no list.
func (a *Archive) there() bool {
	info, err := os.Stat(a.Path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	manifest, err := tarball.LoadManifest(opener(a.Path))
	if err != nil || len(manifest) != 1 || !slices.Equal(manifest[0].RepoTags, []string{a.Tag}) {
		return false
	}
	a.ID, a.Size = manifest[0].Config, info.Size()
	return strings.HasPrefix(a.ID, "sha256:")
}

// write makes the archive.
func (a *Archive) write(image v1.Image) error {
	tag, err := name.NewTag(a.Tag)
	if err != nil {
		return err
	}
	return replace(a.Path, func(w io.Writer) error { return tarball.Write(tag, image, w) })
}

// unfinished is how the name of an archive ends that is being written.
const unfinished = ".tar.partial"

// replace makes a file under another name and moves it to its place when it is whole.
func replace(file string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	partial := strings.TrimSuffix(file, ".tar") + unfinished
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	return os.Rename(partial, file)
}

// opener opens a file each time the archive's reader asks for it.
func opener(path string) tarball.Opener {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}
