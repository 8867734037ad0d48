package images

import (
	"fmt"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Pack writes the one image in the file from, which may have no name, to
// dir/NAME.tar under the name that img has in a cluster. It is for files that another
// program has pulled by img's digest, as Dagger's engine does. Such a file holds a
// single platform, so the digest of the index cannot be compared any more.
func Pack(from string, img Image, dir string) (Archive, error) {
	image, err := tarball.ImageFromPath(from, nil)
	if err != nil {
		return Archive{}, fmt.Errorf("image %s: %s: %w", img.Name, from, err)
	}
	cfg, err := image.ConfigFile()
	if err != nil {
		return Archive{}, fmt.Errorf("image %s: %s: %w", img.Name, from, err)
	}
	a := Archive{
		Image: img, Path: filepath.Join(dir, img.Name+".tar"), Tag: img.RepoTag(),
		Platform: cfg.OS + "/" + cfg.Architecture,
	}
	if err := a.write(image); err != nil {
		return Archive{}, fmt.Errorf("image %s: %w", img.Name, err)
	}
	if !a.there() {
		return Archive{}, fmt.Errorf("image %s: the archive %s cannot be read back", img.Name, a.Path)
	}
	return a, nil
}
