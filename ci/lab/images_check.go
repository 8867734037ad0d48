package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

func imagesCheckCommand(e *env, f *imageFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check that the checkout names no image but those of the lock",
		Long: `check reads the image lock, and then searches the checkout (config, ci, .github and
the files that build our images) for images that differ from the lock: another digest,
a tag without a digest, an image that the lock does not know. It prints each of them as
FILE:LINE and exits with 1 if it finds any. It asks no registry.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			lock, asJSON, err := f.open(e)
			if err != nil {
				return err
			}
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			// The checkout is written for its own lock. Another lock need only be
			// valid, and loading it has shown that.
			own, err := e.imageLock("")
			if err != nil {
				return err
			}
			found, err := images.Check(os.DirFS(root), own, build.Names()...)
			if err != nil {
				return err
			}
			if asJSON {
				err = report.Encode(e.stdout, kindImageCheck, imageCheckDocument{len(lock.Names()), append([]images.Finding{}, found...)})
			} else {
				for _, finding := range found {
					fmt.Fprintln(e.stdout, finding)
				}
				if len(found) == 0 {
					_, err = fmt.Fprintf(e.stdout, "%d images, each pinned by tag and digest, and no other in the checkout\n", len(lock.Names()))
				}
			}
			if err == nil && len(found) > 0 {
				return errFailed
			}
			return err
		},
	}
}
