package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/check"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// checkInCluster runs the cases against the lab in a cluster: from here by a Job, which gets
// the files of the cases with its command line.
func (e *env) checkInCluster(cmd *cobra.Command, f *checkFlags, all []cases.Case, format report.Format) error {
	t, err := e.wanted(&f.up)
	if err != nil {
		return err
	}
	files, err := f.files.create()
	if err != nil {
		return err
	}
	defer files.Discard()
	args := append([]string{"check"}, given(cmd, "app", "run-id", "parallel", "case-timeout", "absent-timeout")...)
	if f.packed == "" {
		packed, err := packCases(all)
		if err != nil {
			return err
		}
		args = append(args, "--packed="+packed)
	}
	result, err := target.Do(cmd.Context(), t, target.Work[report.Report]{
		Args: args, Asks: []string{target.Alloy, target.Loki, target.Tempo, target.Mimir, target.Inspector}, Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (report.Report, error) {
			result, err := check.Run(ctx, all, e.checkOptions(f, at))
			return result.Report, err
		},
	})
	if err != nil {
		return err
	}
	if err := e.annotate(check.Located(result, all)); err != nil {
		return err
	}
	return e.writeReport(result, format, files)
}

const (
	// maxPacked bounds the cases that a Job gets, in bytes of its command line. The kernel
	// takes 128 KiB for one argument.
	maxPacked = 96 << 10
	// maxUnpacked bounds what is unpacked, in bytes.
	maxUnpacked = 16 << 20
	// caseList is the name of the file that lists the cases' files.
	caseList = "cases"
)

// packCases packs the cases' files, and the YAML files beside them, which a case may
// include, into one argument.
func packCases(all []cases.Case) (string, error) {
	var zipped bytes.Buffer
	compressed := gzip.NewWriter(&zipped)
	archive := tar.NewWriter(compressed)
	put := func(name string, content []byte) error {
		err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))})
		if err == nil {
			_, err = archive.Write(content)
		}
		return err
	}
	var dirs, names []string
	for _, c := range all {
		if !slices.Contains(dirs, c.Dir()) {
			dirs = append(dirs, c.Dir())
		}
		name := path.Join(strconv.Itoa(slices.Index(dirs, c.Dir())), filepath.Base(c.At.File))
		if !slices.Contains(names, name) { // a matrix is several cases of one file
			names = append(names, name)
		}
	}
	if err := put(caseList, []byte(strings.Join(names, "\n"))); err != nil {
		return "", err
	}
	for i, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return "", err
		}
		for _, entry := range entries {
			extension := strings.ToLower(filepath.Ext(entry.Name()))
			if extension != ".yaml" && extension != ".yml" || !entry.Type().IsRegular() {
				continue
			}
			content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			if err != nil {
				return "", err
			}
			if err := put(path.Join(strconv.Itoa(i), entry.Name()), content); err != nil {
				return "", err
			}
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		return "", err
	}
	packed := base64.StdEncoding.EncodeToString(zipped.Bytes())
	if len(packed) > maxPacked {
		return "", usageError{fmt.Errorf("the cases and the YAML files beside them have %d KiB when packed, and a Job takes %d KiB; name fewer of them", len(packed)>>10, maxPacked>>10)}
	}
	return packed, nil
}

// unpackCases writes what packCases has packed into a folder, and returns the paths of the
// cases' files.
func unpackCases(packed, dir string) (paths []string, err error) {
	raw, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		return nil, err
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	archive := tar.NewReader(io.LimitReader(unzipped, maxUnpacked))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return paths, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		if header.Name == caseList {
			for name := range strings.Lines(string(content)) {
				paths = append(paths, filepath.Join(dir, filepath.FromSlash(strings.TrimSpace(name))))
			}
			continue
		}
		if err := root.MkdirAll(path.Dir(header.Name), 0o700); err != nil {
			return nil, err
		}
		if err := root.WriteFile(header.Name, content, 0o600); err != nil {
			return nil, err
		}
	}
}
