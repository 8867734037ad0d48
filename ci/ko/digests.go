package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
)

// digests is the file digests.json; ci/internal/build reads it.
type digests struct {
	Base    string       `json:"base"`              // the base image, repository@digest
	Version string       `json:"version,omitempty"` // what the services report
	Images  []imageEntry `json:"images"`
}

type imageEntry struct {
	Name            string          `json:"name"`
	Digest          string          `json:"digest"`              // of the index, or of the image if there is one platform
	Tag             string          `json:"tag"`                 // the RepoTag in Tarball
	Reference       string          `json:"reference,omitempty"` // where it was pushed
	Platforms       []platformEntry `json:"platforms"`
	Archive         string          `json:"archive"` // file names, beside this file
	ArchiveSize     int64           `json:"archive_bytes"`
	Tarball         string          `json:"tarball"`
	TarballSize     int64           `json:"tarball_bytes"`
	TarballPlatform string          `json:"tarball_platform"`
}

type platformEntry struct {
	Platform string `json:"platform"`
	Digest   string `json:"digest"`
	ID       string `json:"id"`         // the configuration's digest, which container runtimes list
	Size     int64  `json:"size_bytes"` // bytes of all layers, compressed
}

const digestsFile = "digests.json"

// tagDigits is how much of a digest the tag has; enough for people to compare.
const tagDigits = 12

// describe is the entry of r without the sizes of its files.
func describe(r result, load string) (imageEntry, error) {
	digest, err := r.Digest()
	if err != nil {
		return imageEntry{}, err
	}
	e := imageEntry{
		Name: r.name, Digest: digest.String(), Tag: "lgtm-lab/" + r.name + ":sha256-" + digest.Hex[:tagDigits],
		Archive: r.name + ".oci.tar", Tarball: r.name + ".tar",
	}
	images, err := r.platforms()
	if err != nil {
		return imageEntry{}, err
	}
	for _, img := range images {
		p := platformEntry{Platform: img.platform}
		m, err := img.Manifest()
		if err != nil {
			return imageEntry{}, err
		}
		d, err := img.Digest()
		if err != nil {
			return imageEntry{}, err
		}
		p.Digest, p.ID = d.String(), m.Config.Digest.String()
		for _, l := range m.Layers {
			p.Size += l.Size
		}
		e.Platforms = append(e.Platforms, p)
		if matches(img.platform, load) {
			e.TarballPlatform = img.platform
		}
	}
	return e, nil
}

// matches tells whether a platform meets a wish: "linux/arm64/v8" meets "linux/arm64".
func matches(have, want string) bool {
	return have == want || len(have) > len(want) && have[:len(want)+1] == want+"/"
}

// readDigests reads the list that an earlier build wrote into dir. The list is empty if
// there is none, or if it cannot be read.
func readDigests(dir string) digests {
	var d digests
	data, err := os.ReadFile(filepath.Join(dir, digestsFile))
	if err != nil || json.Unmarshal(data, &d) != nil {
		return digests{}
	}
	return d
}

// same returns the earlier entry of an image if it is the same image, and its
// files are there with the sizes they were written with.
func (d digests) same(dir string, img imageEntry) (imageEntry, bool) {
	for _, old := range d.Images {
		whole := hasSize(filepath.Join(dir, old.Archive), old.ArchiveSize) && hasSize(filepath.Join(dir, old.Tarball), old.TarballSize)
		img.ArchiveSize, img.TarballSize, old.Reference = old.ArchiveSize, old.TarballSize, ""
		if whole && reflect.DeepEqual(old, img) {
			return old, true
		}
	}
	return imageEntry{}, false
}

func hasSize(file string, size int64) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// write writes the list, whole or not at all.
func (d digests) write(dir string) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	_, err = replace(dir, digestsFile, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
	return err
}
