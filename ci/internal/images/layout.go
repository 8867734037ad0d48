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

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry"
)

// LayoutName is the name of the file that [PullLayout] makes. As in
// [Image.ArchiveName], the digest is part of it: a file of that name is that image.
func (i Image) LayoutName() string {
	return i.Name + "-" + strings.TrimPrefix(i.Digest, "sha256:") + ".oci.tar"
}

// PullLayout writes all platforms of img to dir, as an OCI layout in a tar file
// under [Image.LayoutName]. It is for the base that our own images are built on: the
// layout has the very digest of the lock, so a build on it gives the same images as a
// build on the registry's. In all else it does as [Pull] does. An archive of all
// platforms has no Platform and no ID.
func PullLayout(ctx context.Context, img Image, dir string, o PullOptions) (Archive, error) {
	a := Archive{Image: img, Path: filepath.Join(dir, img.LayoutName()), Tag: img.RepoTag()}
	return a.pull(ctx, o, a.layoutThere, func(ref name.Digest, store registry.Store) error {
		desc, err := o.client().Manifest(ctx, ref)
		if err != nil {
			return err
		}
		var blobs []blob
		if err := o.client().Retry(ctx, func() (err error) { blobs, err = blobsOf(desc); return err }); err != nil {
			return err
		}
		var layers []v1.Descriptor
		for _, b := range blobs {
			if b.content == nil {
				layers = append(layers, v1.Descriptor{Digest: b.digest, Size: b.size})
			}
		}
		stored, err := o.fetch(ctx, store, ref, layers)
		if err != nil {
			return err
		}
		if err := replace(a.Path, func(w io.Writer) error { return writeLayout(w, desc.Descriptor, blobs, stored.File) }); err != nil {
			stored.Keep()
			return err
		}
		return stored.Delete()
	})
}

// blob is one file of a layout.
type blob struct {
	digest  v1.Hash
	size    int64
	content []byte // nil for a layer, whose content is in the store
}

func rawBlob(raw []byte) (blob, error) {
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	return blob{digest, size, raw}, err
}

// blobsOf lists what an image or an index is made of, each once. Manifests and
// configurations are fetched for it, layers are not.
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
		if err := add(blob{digest: digest, size: size}, err); err != nil {
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

// writeLayout writes a tar of a layout whose only entry is top. layer names the file of
// a layer. The list of contents comes last, so a file that was cut short has no list.
func writeLayout(w io.Writer, top v1.Descriptor, blobs []blob, layer func(v1.Hash) string) error {
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
	for _, b := range blobs {
		if err := header(path.Join("blobs", b.digest.Algorithm, b.digest.Hex), b.size); err != nil {
			return err
		}
		if err := copyBlob(out, b, layer); err != nil {
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

func copyBlob(w io.Writer, b blob, layer func(v1.Hash) string) error {
	if b.content != nil {
		_, err := w.Write(b.content)
		return err
	}
	f, err := os.Open(layer(b.digest))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// layoutThere tells whether the layout is in its place, whole and that of the lock. It
// sets a.Size.
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
