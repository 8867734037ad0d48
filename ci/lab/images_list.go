package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

func imagesListCommand(e *env, f *imageFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show the image lock",
		Long:  "list shows every image in the lock: its name here, its repository and tag, and the digest that selects it.",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			lock, asJSON, err := f.open(e)
			if err != nil {
				return err
			}
			all := map[string]string{}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "NAME\tIMAGE\tDIGEST")
			for _, name := range lock.Names() {
				img, err := lock.Get(name)
				if err != nil {
					return err
				}
				all[name] = img.Reference()
				fmt.Fprintf(t, "%s\t%s\t%s\n", name, img.RepoTag(), img.Digest)
			}
			if asJSON {
				return report.Encode(e.stdout, kindImages, imagesDocument{all})
			}
			return t.Flush()
		},
	}
}
