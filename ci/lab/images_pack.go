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
		Short: "Name images that somebody else has pulled",
		Long: `pack takes every image of the lock that is in the directory FROM as NAME.tar, in
Docker's or OCI's format and without a name, and writes it to the directory TO under
the name that it has in a cluster: what ` + "`lab up --target kind --archives TO`" + ` takes. It is
for images that come from elsewhere than a registry, such as Dagger's engine.`,
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
				return fmt.Errorf("no NAME.tar of an image of the lock in %s", args[0])
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
