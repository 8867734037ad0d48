package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry"
)

// imageDir is the directory of the program that is, or will be, taken out of img.
func (s *Stack) imageDir(img images.Image) string {
	digest := strings.TrimPrefix(img.Digest, "sha256:")
	return filepath.Join(s.cfg.Cache, "images", fmt.Sprintf("%s-%s-%s", img.Name, digest, s.goarch))
}

// unpacked returns the program of sp when it has been taken out of the pinned
// image before, else errAbsent.
func (s *Stack) unpacked(sp spec) (Program, error) {
	if s.goos != "linux" {
		return Program{}, errAbsent
	}
	img, err := s.cfg.Images.Get(sp.name)
	if errors.Is(err, images.ErrUnknown) {
		return Program{}, errAbsent
	}
	if err != nil {
		return Program{}, err
	}
	return cached(sp.name, Images, s.imageDir(img))
}

// pull takes the program of sp out of its pinned image. If an earlier pull of the same
// image has done that, pull returns its result.
func (s *Stack) pull(ctx context.Context, sp spec) (Program, error) {
	if s.goos != "linux" {
		return Program{}, fmt.Errorf("the programs in the images are for linux, and this is %s", s.goos)
	}
	img, err := s.cfg.Images.Get(sp.name)
	if err != nil {
		return Program{}, err
	}
	dir := s.imageDir(img)
	return s.once(ctx, sp, Images, dir, func(progress *tracker) error {
		err := s.take(ctx, sp, img, dir, progress)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("image %s: %w", img.Reference(), registry.Plain(err))
		}
		return nil
	})
}

// take downloads img, unpacks it and keeps the files that its program needs in dir. If
// it fails, there is no dir, and the layers stay in the cache for the next try.
func (s *Stack) take(ctx context.Context, sp spec, img images.Image, dir string, progress *tracker) error {
	ref, err := s.client.Reference(img.Pinned())
	if err != nil {
		return err
	}
	image, err := s.client.Image(ctx, ref, v1.Platform{OS: "linux", Architecture: s.goarch})
	if err != nil {
		return err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	blobs, err := s.download(ctx, ref.Context(), manifest.Layers, progress)
	if err != nil {
		return &downloadError{err}
	}
	layer := func(i int, _ string) (string, error) { return blobs.File(manifest.Layers[i].Digest), nil }
	if err := s.unpack(ctx, sp, img, dir, progress, len(manifest.Layers), layer); err != nil {
		blobs.Keep()
		return err
	}
	return blobs.Delete()
}

// downloadError is the error of an image that the registry has, and whose layers
// could not be got all the same.
type downloadError struct{ error }

func (e *downloadError) Unwrap() error { return e.error }

// download gets the layers into the cache's store.
func (s *Stack) download(ctx context.Context, repo name.Repository, layers []v1.Descriptor, progress *tracker) (*registry.Blobs, error) {
	var total int64
	for _, l := range layers {
		total += l.Size
	}
	if total > s.limits.bytes {
		return nil, fmt.Errorf("its layers are %s, more than the %s that are allowed", size(uint64(total)), size(uint64(s.limits.bytes)))
	}
	// Compressed layers, their content, and some air.
	if err := s.checkBytes(uint64(total)*4+bytesFixed/4, s.cfg.Cache); err != nil {
		return nil, err
	}
	return registry.StoreIn(s.cfg.Cache).Fetch(ctx, s.client, repo, layers, registry.Progress{
		Bytes:   func(done, total int64) { progress.set(PhaseDownload, done, total) },
		Waiting: func() { progress.set(PhaseWaiting, 0, 0) },
	})
}

// unpack makes dir out of so many layers, the lowest first. layer returns the file of a
// layer; it may write the file into the folder tmp.
func (s *Stack) unpack(ctx context.Context, sp spec, img images.Image, dir string, progress *tracker, layers int, layer func(i int, tmp string) (string, error)) error {
	tmp, err := s.workDir(sp.name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	root, err := newRootfs(filepath.Join(tmp, "rootfs"), s.limits)
	if err != nil {
		return err
	}
	defer root.close()
	for i := range layers {
		progress.set(PhaseUnpack, int64(i), int64(layers))
		file, err := layer(i, tmp)
		if err == nil {
			err = root.apply(ctx, file)
		}
		if err != nil {
			return fmt.Errorf("layer %d of %d: %w", i+1, layers, err)
		}
	}
	st, err := keep(tmp, sp)
	if err != nil {
		return err
	}
	st.Version = img.Tag
	if err := finish(tmp, dir, st); err != nil {
		return err
	}
	progress.set(PhaseDone, int64(layers), int64(layers))
	return nil
}

// probe asks whether the registry of img answers, and has the image.
func (s *Stack) probe(ctx context.Context, img images.Image) error {
	ref, err := s.client.Reference(img.Pinned())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ProbeTimeout)
	defer cancel()
	err = s.client.Probe(ctx, ref)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer from %s within %s", ref.RegistryStr(), s.cfg.ProbeTimeout)
	}
	return registry.Plain(err)
}
