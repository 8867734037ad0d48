package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/ko/pkg/build"
)

// base is the image that ours are built on.
type base struct {
	// ref goes into the annotations of our images, and so into their digest: it must
	// not say where the base happened to be read.
	ref    name.Digest
	result build.Result // v1.Image or v1.ImageIndex
	close  func()
}

// openBase gets the base image, from a registry or from a layout, and checks that
// it has every platform asked for: ko leaves out a missing platform without a word.
func openBase(ctx context.Context, o options, cfg config) (base, error) {
	want, err := pinned(cfg.Base)
	if err != nil {
		return base{}, fmt.Errorf(".ko.yaml: %w", err)
	}
	b := base{close: func() {}}
	source := o.base
	if source == "" {
		source = cfg.Base
	}
	if info, statErr := os.Stat(source); statErr == nil {
		err = b.openLayout(source, info.IsDir())
	} else if strings.ContainsRune(source, '@') {
		err = b.openReference(ctx, source, o.insecure)
	} else {
		err = fmt.Errorf("%q is neither an OCI layout on this machine nor a reference with a digest", source)
	}
	if err != nil {
		b.close()
		return base{}, err
	}
	if o.baseReference != "" && err == nil {
		b.ref, err = pinned(o.baseReference)
	}
	if err == nil && b.ref.DigestStr() == want.DigestStr() {
		// The same content from a mirror or a file makes the same images.
		b.ref = want
	}
	if err == nil {
		err = b.has(o.platform)
	}
	if err == nil && o.baseAnew {
		b.result, err = exportedAnew(b.result, time.Now())
	}
	if err != nil {
		b.close()
		return base{}, err
	}
	return b, nil
}

// pinned parses repository[:tag]@digest. A tag informs people and is dropped.
func pinned(ref string, opts ...name.Option) (name.Digest, error) {
	d, err := name.NewDigest(ref, opts...)
	if err != nil {
		return name.Digest{}, fmt.Errorf("%q is not pinned by a digest: %w", ref, err)
	}
	return d, nil
}

func (b *base) openReference(ctx context.Context, source string, insecure bool) error {
	var opts []name.Option
	if insecure {
		opts = append(opts, name.Insecure)
	}
	ref, err := pinned(source, opts...)
	if err != nil {
		return err
	}
	desc, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("lgtm-lab"))
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		err = fmt.Errorf("%s: %s", dns.Name, dns.Err) // without the resolver's address
	}
	if err != nil {
		return fmt.Errorf("%s: %w (where no registry can be reached, --base takes what `lab images pull base` makes elsewhere)", source, err)
	}
	b.ref = ref
	if desc.MediaType.IsIndex() {
		b.result, err = desc.ImageIndex()
	} else {
		b.result, err = desc.Image()
	}
	return err
}

// openLayout reads an OCI layout. One that holds a single entry is that entry, an
// image or an index; one that holds several is an index of platforms itself.
func (b *base) openLayout(source string, dir bool) error {
	if !dir {
		unpacked, err := untar(source)
		if err != nil {
			return err
		}
		b.close = func() { _ = os.RemoveAll(unpacked) }
		source = unpacked
	}
	top, err := layout.ImageIndexFromPath(source)
	if _, saved := os.Stat(filepath.Join(source, "manifest.json")); err != nil && saved == nil {
		return errors.New("that is an archive as docker save writes it, not an OCI layout; `lab images pull base` makes one")
	}
	if err != nil {
		return fmt.Errorf("%s is not an OCI layout: %w", source, err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		return err
	}
	b.result = top
	if len(manifest.Manifests) == 1 {
		only := manifest.Manifests[0]
		if only.MediaType.IsIndex() {
			b.result, err = top.ImageIndex(only.Digest)
		} else {
			b.result, err = top.Image(only.Digest)
		}
		if err != nil {
			return err
		}
	}
	digest, err := b.result.Digest()
	if err != nil {
		return err
	}
	b.ref, err = name.NewDigest("oci-layout.invalid/base@" + digest.String())
	return err
}

// has reports the platforms that the base lacks.
func (b *base) has(platforms []string) error {
	var have []string
	switch r := b.result.(type) {
	case v1.ImageIndex:
		m, err := r.IndexManifest()
		if err != nil {
			return err
		}
		for _, d := range m.Manifests {
			if d.Platform != nil {
				have = append(have, d.Platform.OS+"/"+d.Platform.Architecture)
			}
		}
	case v1.Image:
		c, err := r.ConfigFile()
		if err != nil {
			return err
		}
		have = []string{c.OS + "/" + c.Architecture}
	}
	var errs []error
	for _, p := range platforms {
		parts := strings.Split(p, "/")
		if len(parts) < 2 || !slices.Contains(have, parts[0]+"/"+parts[1]) {
			errs = append(errs, fmt.Errorf("there is none for %s, only for %s", p, strings.Join(have, ", ")))
		}
	}
	return errors.Join(errs...)
}

// maxBase bounds an unpacked base; the static one has about 3 MB a platform.
const maxBase = 2 << 30

// untar unpacks an OCI archive into a temporary directory.
func untar(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	dir, err := os.MkdirTemp("", "lgtm-lab-base-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", path, errors.Join(err, os.RemoveAll(dir)))
		}
	}()
	root, err := os.OpenRoot(dir) // nothing is written outside of it
	if err != nil {
		return "", err
	}
	defer root.Close()
	entries := tar.NewReader(io.LimitReader(f, maxBase))
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return dir, nil
		}
		if err != nil {
			return "", err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		file := filepath.FromSlash(h.Name)
		if err := root.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		w, err := root.Create(file)
		if err != nil {
			return "", err
		}
		if _, err := io.Copy(w, entries); err != nil {
			w.Close()
			return "", err
		}
		if err := w.Close(); err != nil {
			return "", err
		}
	}
}
