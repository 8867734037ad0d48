package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// buildFlags are common to build and reproduce.
type buildFlags struct {
	base      string
	exported  bool // base is a copy of the lock's, with other digests
	platforms []string
	insecure  bool
}

func (b *buildFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.base, "base", "", "the base image: a `REFERENCE` with a digest, or the path of an OCI layout, a directory or a tar file (default \"base\" of the lock)")
	cmd.Flags().BoolVar(&b.exported, "base-exported", false, "the layout of --base is a copy of the lock's base, made by a tool that writes manifests anew, such as Dagger's engine: the images name the lock's digest")
	cmd.Flags().StringSliceVar(&b.platforms, "platform", nil, "the `PLATFORMS` to build for (default linux/amd64 and linux/arm64)")
	cmd.Flags().BoolVar(&b.insecure, "insecure-registry", false, "speak plain HTTP with the registries; not needed for this machine and private addresses")
}

func (b *buildFlags) options(e *env, f *imageFlags) (build.Options, error) {
	root, err := checkout.Root()
	if err != nil {
		return build.Options{}, err
	}
	base, err := e.buildBase(b.base, f.lock)
	if err != nil {
		return build.Options{}, err
	}
	reference := ""
	if b.exported {
		if b.base == "" {
			return build.Options{}, usageError{errors.New("--base-exported describes the layout of --base: give --base, too")}
		}
		if reference, err = e.buildBase("", f.lock); err != nil {
			return build.Options{}, err
		}
	}
	return build.Options{
		Root: root, Base: base, BaseReference: reference, Platforms: b.platforms, Insecure: b.insecure,
		Progress: e.step,
	}, nil
}

// buildBase returns the base of our own images: the flag's, or without one the lock's.
func (e *env) buildBase(base, lock string) (string, error) {
	if base != "" {
		return base, nil
	}
	l, err := e.imageLock(lock)
	if err != nil {
		return "", err
	}
	img, err := l.Get(images.Base)
	return img.Reference(), err
}

// showBuilt prints the images; for images that were pushed it prints only the references.
func (e *env) showBuilt(built []build.Image, asJSON bool) error {
	if asJSON {
		return report.Encode(e.stdout, kindBuiltImages, builtDocument{built})
	}
	t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	if built[0].Reference == "" {
		fmt.Fprintln(t, "NAME\tPLATFORMS\tMB\tDIGEST")
	}
	for _, img := range built {
		if img.Reference != "" {
			fmt.Fprintln(t, img.Reference)
			continue
		}
		var platforms, sizes []string
		for _, p := range img.Platforms {
			platforms, sizes = append(platforms, p.Platform), append(sizes, megabytes(p.Size))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", img.Name, strings.Join(platforms, ","), strings.Join(sizes, ","), img.Digest)
	}
	return t.Flush()
}
