package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
)

// parallel is how many blobs of one image are downloaded at a time.
const parallel = 3

// A Store is the folder in which blobs are kept from the beginning of their download
// until they are used. In it are
//
//	sha256-HEX          a whole blob, whose digest was compared
//	sha256-HEX.partial  the beginning of one, which the next Fetch goes on with
//	sha256-HEX.lock     held by the process that downloads or uses that blob
//
// Several processes may use one folder. If one is killed, the next Fetch of the same
// blob goes on with its files, or [Store.Prune] deletes them.
type Store struct{ dir string }

// StoreIn is the store of a cache, the folder of [cachedir.Default] or another one.
func StoreIn(cache string) Store { return Store{dir: filepath.Join(cache, "blobs")} }

func (s Store) file(digest v1.Hash) string {
	return filepath.Join(s.dir, digest.Algorithm+"-"+digest.Hex)
}

func partialOf(file string) string { return file + ".partial" }
func lockOf(file string) string    { return file + ".lock" }

// Progress is told how a Fetch goes on; both functions may be nil, and are called
// once at a time.
type Progress struct {
	// Bytes is told how many bytes are there, and of how many. Bytes of earlier
	// downloads count.
	Bytes func(done, total int64)
	// Waiting is told that another process is at work on the same blobs.
	Waiting func()
	// Retrying is told why a download broke off, before it is taken up again.
	Retrying func(error)
}

// Blobs are the blobs of one Fetch. The caller calls Delete when it needs them no more,
// or Keep if the next Fetch should find them.
type Blobs struct {
	store   Store
	digests []v1.Hash
	release []func()
}

// File is the file of a blob.
func (b *Blobs) File(digest v1.Hash) string { return b.store.file(digest) }

// Image is image with its layers in the store. It holds until Keep or Delete.
func (b *Blobs) Image(image v1.Image) v1.Image { return storedImage{image, b} }

type storedImage struct {
	v1.Image
	blobs *Blobs
}

// Layers returns the layers, each read from its file.
func (i storedImage) Layers() ([]v1.Layer, error) {
	manifest, err := i.Manifest()
	if err != nil {
		return nil, err
	}
	var layers []v1.Layer
	for _, descriptor := range manifest.Layers {
		layer, err := partial.CompressedToLayer(storedLayer{descriptor, i.blobs.File(descriptor.Digest)})
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

type storedLayer struct {
	descriptor v1.Descriptor
	file       string
}

func (l storedLayer) Digest() (v1.Hash, error)            { return l.descriptor.Digest, nil }
func (l storedLayer) Size() (int64, error)                { return l.descriptor.Size, nil }
func (l storedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
func (l storedLayer) Compressed() (io.ReadCloser, error)  { return os.Open(l.file) }

// Keep gives the blobs back to the store: the next Fetch finds them, and goes on with
// those that are not whole.
func (b *Blobs) Keep() {
	for i, release := range b.release {
		file := b.store.file(b.digests[i])
		if !exists(file) && !exists(partialOf(file)) {
			// The lock is still held here. A process that waits for it makes a new file.
			_ = os.Remove(lockOf(file))
		}
		release()
		if runtime.GOOS == "windows" && !exists(file) && !exists(partialOf(file)) {
			// Windows removes no open file: not the one above, and neither one that
			// another process has opened since.
			_ = os.Remove(lockOf(file))
		}
	}
	b.release = nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Delete deletes the blobs.
func (b *Blobs) Delete() error {
	var errs []error
	for _, digest := range b.digests {
		errs = append(errs, os.RemoveAll(b.store.file(digest)))
	}
	b.Keep()
	return errors.Join(errs...)
}

// BrokenOff is the error of a Fetch that gave up for now. The bytes that have arrived
// are kept, and the next Fetch goes on from there.
type BrokenOff struct {
	Digest     v1.Hash
	Have, Size int64 // bytes
	Err        error
}

func (e *BrokenOff) Error() string {
	return fmt.Sprintf("layer %s broke off after %d of %d bytes: %v", e.Digest, e.Have, e.Size, Plain(e.Err))
}

func (e *BrokenOff) Unwrap() error { return e.Err }

// Fetch downloads blobs of a repository that are not in the store yet, several at a
// time. A download that breaks off is taken up where it was; after five failures in a
// row without a megabyte between them the error is a [BrokenOff]. A blob that does
// not have its digest is deleted.
//
// Until Keep or Delete, other processes wait when they want one of these blobs.
func (s Store) Fetch(ctx context.Context, c Client, repo name.Repository, blobs []v1.Descriptor, p Progress) (*Blobs, error) {
	if err := cachedir.Make(filepath.Dir(s.dir)); err != nil {
		return nil, err
	}
	// In one order everywhere, so that no two processes wait for each other.
	blobs = slices.Clone(blobs)
	slices.SortFunc(blobs, func(a, b v1.Descriptor) int { return cmp.Compare(a.Digest.String(), b.Digest.String()) })
	blobs = slices.CompactFunc(blobs, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })

	all := &Blobs{store: s}
	for _, blob := range blobs {
		release, err := filelock.Acquire(ctx, lockOf(s.file(blob.Digest)), p.Waiting)
		if err != nil {
			all.Keep()
			return nil, err
		}
		all.digests, all.release = append(all.digests, blob.Digest), append(all.release, release)
	}
	m := &meter{tell: p}
	for _, blob := range blobs {
		m.total += blob.Size
	}
	m.add(0)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, blob := range blobs {
		group.Go(func() error {
			d := download{client: c, repo: repo, blob: blob, file: s.file(blob.Digest), meter: m}
			return d.run(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		all.Keep()
		return nil, err
	}
	return all, nil
}

// meter adds up the bytes of several downloads.
type meter struct {
	mu          sync.Mutex
	done, total int64
	tell        Progress
}

func (m *meter) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	if m.tell.Bytes != nil {
		m.tell.Bytes(m.done, m.total)
	}
}

func (m *meter) retrying(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tell.Retrying != nil {
		m.tell.Retrying(Plain(err))
	}
}
