package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// writeAll writes the archives of every image, but not the list of digests. What
// an earlier build left and is the same now is kept.
func writeAll(o options, b base, built []result) (digests, error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return digests{}, err
	}
	if err := removeUnfinished(o.out); err != nil {
		return digests{}, err
	}
	before := readDigests(o.out)
	list := digests{Base: b.ref.Name(), Version: o.version}
	for _, r := range built {
		img, err := describe(r, o.load)
		if err != nil {
			return digests{}, fmt.Errorf("%s: %w", r.name, err)
		}
		if kept, ok := before.same(o.out, img); ok {
			list.Images = append(list.Images, kept)
			continue
		}
		if img.ArchiveSize, err = replace(o.out, img.Archive, func(w io.Writer) error { return writeOCI(w, r) }); err != nil {
			return digests{}, fmt.Errorf("%s: %w", img.Archive, err)
		}
		if img.TarballSize, err = replace(o.out, img.Tarball, func(w io.Writer) error { return writeDocker(w, r, img) }); err != nil {
			return digests{}, fmt.Errorf("%s: %w", img.Tarball, err)
		}
		list.Images = append(list.Images, img)
	}
	return list, nil
}

// removeUnfinished deletes the archives in dir that a killed build has not finished.
// ci/internal/build lets one build at a time write with the same cache.
func removeUnfinished(dir string) error {
	var errs []error
	for _, p := range programs {
		left, err := filepath.Glob(filepath.Join(dir, "."+p.name+".*-*"))
		errs = append(errs, err)
		for _, file := range left {
			errs = append(errs, os.Remove(file))
		}
	}
	return errors.Join(errs...)
}

// replace writes a file whole or not at all, and returns its size in bytes.
func replace(dir, file string, write func(io.Writer) error) (size int64, err error) {
	tmp, err := os.CreateTemp(dir, "."+file+"-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(tmp.Name()) // not there any more once all went well
	if err := write(tmp); err != nil {
		tmp.Close()
		return 0, err
	}
	info, err := tmp.Stat()
	if err != nil {
		tmp.Close()
		return 0, err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return 0, err
	}
	if err := tmp.Close(); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(tmp.Name(), filepath.Join(dir, file))
}

// writeDocker writes the image of one platform the way `docker save` does.
func writeDocker(w io.Writer, r result, entry imageEntry) error {
	images, err := r.platforms()
	if err != nil {
		return err
	}
	tag, err := name.NewTag(entry.Tag)
	if err != nil {
		return err
	}
	for _, img := range images {
		if img.platform == entry.TarballPlatform {
			return tarball.Write(tag, img.Image, w)
		}
	}
	return fmt.Errorf("there is no image for %s", entry.TarballPlatform)
}

// writeOCI writes a tar of an OCI layout with r as its only entry.
func writeOCI(w io.Writer, r result) error {
	dir, err := os.MkdirTemp("", "lgtm-lab-oci-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	switch image := r.Result.(type) {
	case v1.ImageIndex:
		err = path.AppendIndex(image)
	case v1.Image:
		err = path.AppendImage(image)
	}
	if err != nil {
		return err
	}
	return tarDir(w, dir)
}

// tarDir writes the files in dir sorted by name, without dates and owners.
func tarDir(w io.Writer, dir string) error {
	out := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(rel), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if d.IsDir() {
			h.Name, h.Mode, h.Typeflag = strings.TrimSuffix(h.Name, "/")+"/", 0o755, tar.TypeDir
			return out.WriteHeader(h)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		_, err = io.Copy(out, f)
		return err
	})
	if err != nil {
		return err
	}
	return out.Close()
}
