package main

import (
	"bytes"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/ko/pkg/build"
	"github.com/sigstore/cosign/v3/pkg/oci"
	ocimutate "github.com/sigstore/cosign/v3/pkg/oci/mutate"
	"github.com/sigstore/cosign/v3/pkg/oci/signed"
	"github.com/sigstore/cosign/v3/pkg/oci/static"
)

// The annotations that say what an image is built on.
const (
	baseDigest = "org.opencontainers.image.base.digest"
	baseName   = "org.opencontainers.image.base.name"
)

// A renaming writes the base's pinned digest into the images that ko has built. ko
// writes the digest of the base that it was given: the [canonical] one, which no
// registry has. The annotations are part of an image's own digest. The SBOMs name the
// digests of the image and of the base, so the renaming changes both there.
type renaming struct {
	annotations map[string]string
	digests     []string // old, new, old, new …: hexadecimal digits
}

// newRenaming is for images built on canonical, which stands for the base b.
func newRenaming(b base, canonical v1.ImageIndex) (*renaming, error) {
	pinned := b.ref.DigestStr()
	hash, err := v1.NewHash(pinned)
	if err != nil {
		return nil, err
	}
	r := &renaming{annotations: map[string]string{baseDigest: pinned, baseName: b.ref.Name()}}
	index, err := canonical.Digest()
	if err != nil {
		return nil, err
	}
	r.digests = append(r.digests, index.Hex, hash.Hex)
	manifest, err := canonical.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, m := range manifest.Manifests {
		r.digests = append(r.digests, m.Digest.Hex, hash.Hex)
	}
	return r, nil
}

// result returns an image or index of ko's that names the base's pinned digest.
func (r *renaming) result(built build.Result) (build.Result, error) {
	if index, ok := built.(oci.SignedImageIndex); ok {
		return r.index(index)
	}
	return r.image(built.(oci.SignedImage))
}

func (r *renaming) image(old oci.SignedImage) (oci.SignedImage, error) {
	image := signed.Image(mutate.Annotations(old, r.annotations).(v1.Image))
	if err := r.note(old, image); err != nil {
		return nil, err
	}
	sbom, err := r.sbom(old)
	if err != nil {
		return nil, err
	}
	return ocimutate.AttachFileToImage(image, "sbom", sbom)
}

func (r *renaming) index(old oci.SignedImageIndex) (oci.SignedImageIndex, error) {
	manifest, err := old.IndexManifest()
	if err != nil {
		return nil, err
	}
	var adds []ocimutate.IndexAddendum
	for _, m := range manifest.Manifests {
		image, err := old.SignedImage(m.Digest)
		if err != nil {
			return nil, err
		}
		renamed, err := r.image(image)
		if err != nil {
			return nil, err
		}
		adds = append(adds, ocimutate.IndexAddendum{
			Add: renamed, Descriptor: v1.Descriptor{MediaType: m.MediaType, Platform: m.Platform, Annotations: m.Annotations},
		})
	}
	plain := mutate.IndexMediaType(empty.Index, manifest.MediaType)
	index := ocimutate.AppendManifests(mutate.Annotations(plain, r.annotations).(v1.ImageIndex), adds...)
	if err := r.note(old, index); err != nil {
		return nil, err
	}
	sbom, err := r.sbom(old)
	if err != nil {
		return nil, err
	}
	return ocimutate.AttachFileToImageIndex(index, "sbom", sbom)
}

// note remembers that the digest of one is now that of the other.
func (r *renaming) note(old, renamed interface{ Digest() (v1.Hash, error) }) error {
	before, err := old.Digest()
	if err != nil {
		return err
	}
	after, err := renamed.Digest()
	if err != nil {
		return err
	}
	r.digests = append(r.digests, before.Hex, after.Hex)
	return nil
}

// sbom is the SBOM that ko has attached, with the digests that hold now.
func (r *renaming) sbom(old oci.SignedEntity) (oci.File, error) {
	file, err := old.Attachment("sbom")
	if err != nil {
		return nil, err
	}
	mediaType, err := file.FileMediaType()
	if err != nil {
		return nil, err
	}
	content, err := file.Payload()
	if err != nil {
		return nil, err
	}
	return static.NewFile(r.text(content), static.WithLayerMediaType(mediaType))
}

func (r *renaming) text(content []byte) []byte {
	for i := 0; i < len(r.digests); i += 2 {
		content = bytes.ReplaceAll(content, []byte(r.digests[i]), []byte(r.digests[i+1]))
	}
	return content
}

// files does it to the SBOMs that ko has written to a directory.
func (r *renaming) files(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, r.text(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
