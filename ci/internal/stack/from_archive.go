package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// archiveOf returns the file in [Config.Archives] that has the pinned image of a program;
// "" when there is none.
func (s *Stack) archiveOf(sp spec) (images.Image, string, error) {
	if s.cfg.Archives == "" || s.goos != "linux" {
		return images.Image{}, "", nil
	}
	img, err := s.cfg.Images.Get(sp.name)
	if errors.Is(err, images.ErrUnknown) {
		return img, "", nil
	}
	file, _ := img.Find(s.cfg.Archives, "linux/"+s.goarch)
	return img, file, err
}

// fromArchive takes the program of sp out of an image in a file, as `docker save` and `lab
// images pull` write them. Nothing is asked of a registry.
func (s *Stack) fromArchive(ctx context.Context, sp spec, img images.Image, file string) (Program, error) {
	dir := s.imageDir(img)
	return s.once(ctx, sp, Images, dir, func(progress *tracker) error {
		if err := s.unpackArchive(ctx, sp, img, file, dir, progress); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return nil
	})
}

func (s *Stack) unpackArchive(ctx context.Context, sp spec, img images.Image, file, dir string, progress *tracker) error {
	image, err := readArchive(img, file, s.goarch)
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if err := s.checkBytes(uint64(info.Size())*4+bytesFixed/4, s.cfg.Cache); err != nil {
		return err
	}
	return s.unpack(ctx, sp, img, dir, progress, len(layers), func(i int, tmp string) (string, error) {
		blob := filepath.Join(tmp, "layer")
		return blob, writeLayer(layers[i], blob)
	})
}

// readArchive reads the image in a file. An archive for another version or another
// processor is an error.
func readArchive(img images.Image, file, goarch string) (v1.Image, error) {
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(file) })
	if err != nil {
		return nil, err
	}
	if len(manifest) != 1 || !slices.Contains(manifest[0].RepoTags, img.RepoTag()) {
		return nil, fmt.Errorf("it is not %s of the image lock", img.RepoTag())
	}
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return nil, err
	}
	cfg, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	if cfg.OS != "linux" || cfg.Architecture != goarch {
		return nil, fmt.Errorf("it is for %s/%s, not for linux/%s", cfg.OS, cfg.Architecture, goarch)
	}
	return image, nil
}

// writeLayer writes the content of a layer to a file, in the place of the one before.
func writeLayer(layer v1.Layer, file string) error {
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	return errors.Join(err, w.Close())
}
