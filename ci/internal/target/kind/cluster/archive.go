package cluster

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// Archive is an image in a file, as `docker save` writes it.
type Archive struct {
	// File is its path, Size its length in bytes.
	File string
	Size int64
	// ID is "sha256:" and the digest of the image's configuration. A container runtime
	// identifies the image by it, under every name.
	ID string
	// Tags are the image's names, repository:tag.
	Tags []string
}

// maxMember bounds the size of an archive's manifest or configuration; real ones have a
// few KiB.
const maxMember = 8 << 20

// ReadArchive reads an archive's manifest and configuration, but not its layers. It fails
// unless the archive holds exactly one image.
func ReadArchive(file string) (Archive, error) {
	f, err := os.Open(file)
	if err != nil {
		return Archive{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Archive{}, err
	}
	a := Archive{File: file, Size: info.Size()}
	raw, err := member(f, "manifest.json")
	if err != nil {
		return a, fmt.Errorf("%s: %w", file, err)
	}
	var manifest []struct {
		Config   string
		RepoTags []string
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return a, fmt.Errorf("%s: manifest.json: %w", file, err)
	}
	if len(manifest) != 1 {
		return a, fmt.Errorf("%s has %d images; want an archive with one image", file, len(manifest))
	}
	config, err := member(f, manifest[0].Config)
	if err != nil {
		return a, fmt.Errorf("%s: %w", file, err)
	}
	sum := sha256.Sum256(config)
	a.ID, a.Tags = "sha256:"+hex.EncodeToString(sum[:]), manifest[0].RepoTags
	return a, nil
}

// member reads one file of a tar from its beginning. Everything else is skipped
// by seeking.
func member(f io.ReadSeeker, name string) ([]byte, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the file has no %s in it; want an archive as `docker save` writes it", name)
		}
		if err != nil {
			return nil, err
		}
		if path.Clean(h.Name) != path.Clean(name) {
			continue
		}
		if h.Size > maxMember {
			return nil, fmt.Errorf("%s is %d bytes long", name, h.Size)
		}
		return io.ReadAll(r)
	}
}
