package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// imageDir is where what is taken out of img is, or will be.
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

// pull takes the program of sp out of its pinned image, or returns what an
// earlier pull of the same image left.
func (s *Stack) pull(ctx context.Context, sp spec) (Program, error) {
	if s.goos != "linux" {
		return Program{}, fmt.Errorf("the programs in the images are for linux, and this is %s", s.goos)
	}
	img, err := s.cfg.Images.Get(sp.name)
	if err != nil {
		return Program{}, err
	}
	dir := s.imageDir(img)
	if p, err := cached(sp.name, Images, dir); !errors.Is(err, errAbsent) {
		return p, err
	}
	progress := s.startProgress(sp.name)
	defer progress.stop()
	unlock, err := s.lock(ctx, sp.name, func() { progress.set(PhaseWaiting, 0, 0) })
	if err != nil {
		return Program{}, err
	}
	defer unlock()
	if p, err := cached(sp.name, Images, dir); !errors.Is(err, errAbsent) {
		return p, err
	}
	if err := s.take(ctx, sp, img, dir, progress); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Program{}, fmt.Errorf("image %s: %w", img.Reference(), images.Plain(err))
	}
	return cached(sp.name, Images, dir)
}

// take downloads img, unpacks it and keeps what its program needs in dir. What
// fails half-way leaves finished layers in blobs/, for the next try, and no dir.
func (s *Stack) take(ctx context.Context, sp spec, img images.Image, dir string, progress *progress) error {
	manifest, err := s.fetchImage(ctx, img)
	if err != nil {
		return err
	}
	blobDir := filepath.Join(s.cfg.Cache, "blobs", sp.name)
	blobs, err := s.downloadLayers(ctx, manifest, blobDir, progress)
	if err != nil {
		return err
	}
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
	total := int64(len(blobs))
	for i, blob := range blobs {
		progress.set(PhaseUnpack, int64(i), total)
		if err := root.apply(ctx, blob); err != nil {
			return fmt.Errorf("layer %d of %d: %w", i+1, total, err)
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
	progress.set(PhaseDone, total, total)
	return os.RemoveAll(blobDir)
}

// reference is what is pulled: the digest alone. Plain HTTP is spoken only with
// a registry on this machine; the digest proves the content in either case.
func reference(img images.Image) (name.Digest, error) {
	ref, err := name.NewDigest(img.Pinned())
	if err != nil {
		return name.Digest{}, err
	}
	if onThisMachine(ref.RegistryStr()) {
		return name.NewDigest(img.Pinned(), name.Insecure)
	}
	return ref, nil
}

// onThisMachine reports whether a registry, host or host:port, is local.
func onThisMachine(registry string) bool {
	host := registry
	if i := strings.LastIndex(host, ":"); i > strings.LastIndex(host, "]") {
		host = host[:i]
	}
	return host == "localhost" || host == "[::1]" || strings.HasPrefix(host, "127.")
}

// remoteOptions are those of every request to a registry. Credentials are the
// ones that `docker login` and its likes have stored.
func remoteOptions(ctx context.Context) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithUserAgent("lgtm-lab"),
	}
}

// probe asks whether the registry of img answers, and has the image.
func (s *Stack) probe(ctx context.Context, img images.Image) error {
	ref, err := reference(img)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ProbeTimeout)
	defer cancel()
	once := remote.Backoff{Steps: 1}
	_, err = remote.Head(ref, append(remoteOptions(ctx), remote.WithRetryBackoff(once))...)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer from %s within %s", ref.RegistryStr(), s.cfg.ProbeTimeout)
	}
	return images.Plain(err)
}

// fetchImage gets the manifest for this platform.
func (s *Stack) fetchImage(ctx context.Context, img images.Image) (v1.Image, error) {
	ref, err := reference(img)
	if err != nil {
		return nil, err
	}
	return images.Fetch(ref, v1.Platform{OS: "linux", Architecture: s.goarch}, remoteOptions(ctx)...)
}
