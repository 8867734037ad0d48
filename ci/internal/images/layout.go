package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// LayoutName is the name of the file that [PullLayout] makes. As in
// [Image.ArchiveName], the digest in it says what the file can only be.
func (i Image) LayoutName() string {
	return i.Name + "-" + strings.TrimPrefix(i.Digest, "sha256:") + ".oci.tar"
}

// PullLayout writes all platforms of img to dir, as an OCI layout in a tar file
// under [Image.LayoutName]. It is for what others are built on: the layout has the
// very digest of the lock, so that what is built on it is what would be built on
// the registry's. Otherwise it does as [Pull] does. An archive of all platforms has
// no Platform and no ID.
func PullLayout(ctx context.Context, img Image, dir string, o PullOptions) (Archive, error) {
	fail := func(err error) (Archive, error) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Archive{}, fmt.Errorf("image %s: %s: %w", img.Name, img.Reference(), Plain(err))
	}
	a := Archive{Image: img, Path: filepath.Join(dir, img.LayoutName()), Tag: img.RepoTag()}
	if a.layoutThere() {
		a.Kept = true
		return a, nil
	}
	desc, err := o.describe(ctx, img)
	if err != nil {
		return fail(err)
	}
	blobs, err := blobsOf(desc)
	if err != nil {
		return fail(err)
	}
	var total int64
	for _, b := range blobs {
		total += b.size
	}
	err = replace(a.Path, func(w io.Writer) error { return writeLayout(w, desc.Descriptor, blobs, total, o.Progress) })
	if err != nil {
		return fail(err)
	}
	if !a.layoutThere() {
		return fail(fmt.Errorf("the archive %s cannot be read back", a.Path))
	}
	return a, nil
}

// describe gets the manifest that the lock names, an index or that of one image.
func (o PullOptions) describe(ctx context.Context, img Image) (*remote.Descriptor, error) {
	ref, err := o.reference(img)
	if err != nil {
		return nil, err
	}
	return remote.Get(ref, o.remote(ctx)...)
}

// blob is one file of a layout.
type blob struct {
	digest v1.Hash
	size   int64
	open   func() (io.ReadCloser, error)
}

func rawBlob(raw []byte) (blob, error) {
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	return blob{digest, size, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }}, err
}

// blobsOf lists what an image or an index is made of, each once. Manifests and
// configurations are fetched for it; layers are when they are opened.
func blobsOf(desc *remote.Descriptor) ([]blob, error) {
	var all []blob
	seen := map[v1.Hash]bool{}
	add := func(b blob, err error) error {
		if err == nil && !seen[b.digest] {
			seen[b.digest] = true
			all = append(all, b)
		}
		return err
	}
	if !desc.MediaType.IsIndex() {
		image, err := desc.Image()
		if err == nil {
			err = imageBlobs(image, add)
		}
		return all, err
	}
	index, err := desc.ImageIndex()
	if err == nil {
		err = indexBlobs(index, add)
	}
	return all, err
}

func indexBlobs(index v1.ImageIndex, add func(blob, error) error) error {
	if err := add(raw(index)); err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, d := range manifest.Manifests {
		switch {
		case d.MediaType.IsIndex():
			inner, err := index.ImageIndex(d.Digest)
			if err == nil {
				err = indexBlobs(inner, add)
			}
			if err != nil {
				return err
			}
		case d.MediaType.IsImage():
			image, err := index.Image(d.Digest)
			if err == nil {
				err = imageBlobs(image, add)
			}
			if err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s in the index is of the type %s, which is neither an image nor an index", d.Digest, d.MediaType)
		}
	}
	return nil
}

func imageBlobs(image v1.Image, add func(blob, error) error) error {
	if err := add(raw(image)); err != nil {
		return err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	if err := add(rawBlob(config)); err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		size, err := layer.Size()
		// Compressed compares what it reads with the digest.
		if err := add(blob{digest, size, layer.Compressed}, err); err != nil {
			return err
		}
	}
	return nil
}

// raw is the blob of a manifest.
func raw(m partial.WithRawManifest) (blob, error) {
	manifest, err := m.RawManifest()
	if err != nil {
		return blob{}, err
	}
	return rawBlob(manifest)
}

// The files of a layout that are no blobs.
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
)

// writeLayout writes a tar with what top names as the layout's only entry. The
// list of contents is last, so that a file that was cut short has none.
func writeLayout(w io.Writer, top v1.Descriptor, blobs []blob, total int64, progress func(done, total int64)) error {
	out := tar.NewWriter(w)
	header := func(name string, size int64) error {
		return out.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR})
	}
	file := func(name string, content []byte) error {
		if err := header(name, int64(len(content))); err != nil {
			return err
		}
		_, err := out.Write(content)
		return err
	}
	if err := file(layoutFile, []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	count := &counter{w: out, total: total, tell: progress}
	if progress == nil {
		count.tell = func(int64, int64) {}
	}
	for _, b := range blobs {
		if err := header(path.Join("blobs", b.digest.Algorithm, b.digest.Hex), b.size); err != nil {
			return err
		}
		if err := copyBlob(count, b); err != nil {
			return err
		}
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{
		{MediaType: top.MediaType, Size: top.Size, Digest: top.Digest},
	}})
	if err != nil {
		return err
	}
	return errors.Join(file(indexFile, index), out.Close())
}

func copyBlob(w io.Writer, b blob) error {
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// layoutThere tells whether the layout is in its place, whole and that of the lock,
// and completes what is known of it.
func (a *Archive) layoutThere() bool {
	f, err := os.Open(a.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	a.Size = info.Size()
	for entries := tar.NewReader(f); ; {
		h, err := entries.Next()
		if err != nil {
			return false
		}
		if h.Name != indexFile {
			continue
		}
		var index v1.IndexManifest
		err = json.NewDecoder(entries).Decode(&index)
		return err == nil && len(index.Manifests) == 1 && index.Manifests[0].Digest.String() == a.Image.Digest
	}
}
