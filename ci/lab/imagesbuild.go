package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
)

// buildFlags are common to build and reproduce.
type buildFlags struct {
	base      string
	platforms []string
	insecure  bool
}

func (b *buildFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.base, "base", "", "what the images are built on: a `REFERENCE` with a digest, or the path of an OCI layout, a directory or a tar file (default \"base\" of the lock)")
	cmd.Flags().StringSliceVar(&b.platforms, "platform", nil, "the `PLATFORMS` to build for (default linux/amd64 and linux/arm64)")
	cmd.Flags().BoolVar(&b.insecure, "insecure-registry", false, "speak plain HTTP with the registries; not needed for this machine and private addresses")
}

func (b *buildFlags) options(e *env, f *imageFlags) (build.Options, error) {
	root, err := e.root()
	if err != nil {
		return build.Options{}, err
	}
	base, err := e.buildBase(b.base, f.lock)
	if err != nil {
		return build.Options{}, err
	}
	return build.Options{
		Root: root, Base: base, Platforms: b.platforms, Insecure: b.insecure,
		Progress: func(line string) { e.say("· " + line) },
	}, nil
}

func imagesBuildCommand(e *env, f *imageFlags) *cobra.Command {
	var b buildFlags
	var out, version, publish, load string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the images of frontend, backend and lab",
		Long: `build compiles the programs and puts each on the base image of the lock, without any
container runtime. For every image it writes an archive with all platforms
(NAME.oci.tar), one for this machine's platform that docker and kind load (NAME.tar),
and the SBOMs; and digests.json, which lists them. The same checkout gives the same
digests on every machine.

Where no registry can be reached, --base takes the path of an OCI layout, such as
` + "`lab images pull base`" + ` makes where one can. --publish pushes the images and their SBOMs
too; without -o json it prints the references.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := f.json()
			if err != nil {
				return err
			}
			o, err := b.options(e, f)
			if err != nil {
				return err
			}
			if out == "" {
				if out, err = e.labPath("images"); err != nil {
					return err
				}
			}
			o.Out, o.Version, o.Publish, o.LoadPlatform = out, version, publish, load
			if o.Cache, err = e.labPath("cache", "ko"); err != nil {
				return err
			}
			built, err := build.Build(cmd.Context(), o)
			if err != nil {
				return err
			}
			return e.showBuilt(built, asJSON)
		},
	}
	b.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "the `DIRECTORY` for archives and digests (default images in the lab's folder)")
	cmd.Flags().StringVar(&load, "load-platform", "", "the `PLATFORM` of NAME.tar (default this machine's, else the first)")
	cmd.Flags().StringVar(&version, "version", "", "the `VERSION` that the services report (default dev)")
	cmd.Flags().StringVar(&publish, "publish", "", "push to `REPOSITORY`/NAME too")
	return cmd
}

func imagesReproduceCommand(e *env, f *imageFlags) *cobra.Command {
	var b buildFlags
	cmd := &cobra.Command{
		Use:   "reproduce",
		Short: "Build the images twice and compare every digest",
		Long: `reproduce copies the checkout to two directories and builds the images in each, both
times from nothing: no binary and no package that was compiled before is used. It
fails unless every digest is equal, and says which are not. Everything is compiled
twice for every platform, which takes minutes; --platform linux/amd64 halves it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := f.json()
			if err != nil {
				return err
			}
			o, err := b.options(e, f)
			if err != nil {
				return err
			}
			built, err := build.Reproduce(cmd.Context(), o)
			if err != nil {
				return err
			}
			if !asJSON {
				fmt.Fprintln(e.stdout, "Two builds of this checkout are equal, in every digest:")
			}
			return e.showBuilt(built, asJSON)
		},
	}
	b.register(cmd)
	return cmd
}

// showBuilt prints built images; where they were pushed, that alone.
func (e *env) showBuilt(built []build.Image, asJSON bool) error {
	if asJSON {
		return e.writeJSON(map[string]any{"images": built})
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
