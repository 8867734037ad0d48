package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

func imagesPackCommand(e *env, f *imageFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "pack FROM TO",
		Short: "Give images that another tool has pulled their names in the lock",
		Long: `pack reads every NAME.tar of an image of the lock from the directory FROM, in Docker's
or OCI's format. It writes the image to the directory TO with the name that it has in a
cluster, for ` + "`lab up --target kind --archives TO`" + `. Use it for images that do not come
from a registry directly but from another tool, such as Dagger's engine.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("pack wants two directories, but got %q", args)}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			lock, asJSON, err := f.open(e)
			if err != nil {
				return err
			}
			packed := []archiveRow{}
			for _, name := range lock.Names() {
				from := filepath.Join(args[0], name+".tar")
				if _, err := os.Stat(from); os.IsNotExist(err) {
					continue
				}
				img, err := lock.Get(name)
				if err != nil {
					return err
				}
				a, err := images.Pack(from, img, args[1])
				if err != nil {
					return err
				}
				packed = append(packed, archiveRow{name, a})
			}
			switch {
			case len(packed) == 0:
				return fmt.Errorf("%s has no file NAME.tar for any image of the lock", args[0])
			case asJSON:
				return report.Encode(e.stdout, kindArchives, archivesDocument{packed})
			}
			for _, a := range packed {
				fmt.Fprintf(e.stdout, "%s  %s\n", a.Path, a.Tag)
			}
			return nil
		},
	}
}
