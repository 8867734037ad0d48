package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
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
		return Program{}, fmt.Errorf("image %s: %w", img.Reference(), plain(err))
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
	return plain(err)
}

// plain is what a network error says without its URL and its resolver.
func plain(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("%s: %s", dns.Name, dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}

// fetchImage gets the manifest for this platform. What the registry sends is
// compared with the digests all the way down: index, manifest, configuration.
func (s *Stack) fetchImage(ctx context.Context, img images.Image) (v1.Image, error) {
	ref, err := reference(img)
	if err != nil {
		return nil, err
	}
	platform := v1.Platform{OS: "linux", Architecture: s.goarch}
	desc, err := remote.Get(ref, append(remoteOptions(ctx), remote.WithPlatform(platform))...)
	if err != nil {
		return nil, err
	}
	if desc.Digest.String() != img.Digest {
		return nil, fmt.Errorf("the registry sent %s", desc.Digest)
	}
	manifest, err := desc.Image()
	if err != nil {
		return nil, fmt.Errorf("for %s: %w", platform, err)
	}
	raw, err := manifest.RawConfigFile()
	if err != nil {
		return nil, err
	}
	var cfg v1.ConfigFile
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return nil, err
	}
	// A digest of one platform's manifest instead of the index gets here.
	if cfg.OS != platform.OS || cfg.Architecture != platform.Architecture {
		return nil, fmt.Errorf("it is for %s/%s, not for %s", cfg.OS, cfg.Architecture, platform)
	}
	return manifest, nil
}
