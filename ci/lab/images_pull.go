package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

func imagesPullCommand(e *env, f *imageFlags) *cobra.Command {
	platform, to := "linux/"+runtime.GOARCH, ""
	var insecure []string
	cmd := &cobra.Command{
		Use:   "pull [NAME…]",
		Short: "Fetch images of the lock as archives",
		Long: `pull fetches images as files, without a container runtime. With no NAME it fetches
the images that ` + "`lab up --target kind`" + ` needs:
` + strings.Join(images.Offline(), ", ") + `.
Carry the directory to a machine without a registry, and bring the lab up there with

    lab up --target kind --archives DIR

pull does not fetch an archive again that is in the directory already, and continues a
download that broke off. The digest is part of a file's name. The image base, on which
our own images are built, becomes an OCI layout of all platforms, for up and for
` + "`lab images build --base`" + `. pull uses the credentials that ` + "`docker login`" + ` has stored.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			lock, asJSON, err := f.open(e)
			if err != nil {
				return err
			}
			if to == "" {
				if to, err = e.labPath("images"); err != nil {
					return err
				}
			}
			if len(names) == 0 {
				names = images.Offline()
			}
			var wanted []images.Image
			for _, name := range names {
				img, err := lock.Get(name)
				if err != nil {
					return err
				}
				wanted = append(wanted, img)
			}
			all := []archiveRow{}
			for _, img := range wanted {
				a, err := images.PullOffline(cmd.Context(), img, platform, to, images.PullOptions{
					Insecure: insecure, Progress: e.transfer(img.Name),
					Waiting:  func() { e.step(filelock.Waiting(img.Name)) },
					Retrying: func(err error) { e.step(fmt.Sprintf("%s: %v; trying again", img.Name, err)) },
				})
				if err != nil {
					return err
				}
				all = append(all, archiveRow{img.Name, a})
			}
			if asJSON {
				return report.Encode(e.stdout, kindArchives, archivesDocument{all})
			}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tIMAGE\tMB\tFILE")
			for _, a := range all {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", a.Name, a.Tag, megabytes(a.Size), a.Path)
			}
			return t.Flush()
		},
	}
	e.registerDir(cmd)
	cmd.Flags().StringVar(&platform, "platform", platform, "the `PLATFORM` to fetch: that of the container runtime that is to run the images")
	cmd.Flags().StringVar(&to, "to", "", "the `DIRECTORY` for the archives (default images in the lab's folder)")
	cmd.Flags().StringSliceVar(&insecure, "insecure-registry", nil, "speak plain HTTP with this `HOST[:PORT]`; not needed for this machine and private addresses")
	return cmd
}
