package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
)

func imagesReproduceCommand(e *env, f *imageFlags) *cobra.Command {
	var b buildFlags
	cmd := &cobra.Command{
		Use:   "reproduce",
		Short: "Build the images twice and compare every digest",
		Long: `reproduce copies the checkout to two directories and builds the images in each, both
times without any package that was compiled before. It fails unless every digest is
equal, and names those that differ. It compiles everything twice for every platform,
which takes minutes; --platform linux/amd64 takes half as long.`,
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
