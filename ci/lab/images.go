package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// imageFlags are common to the commands about images.
type imageFlags struct {
	lock   string // another lock than config/images.json
	output string // table or json
}

func (f *imageFlags) json() (bool, error) {
	return f.output == "json", oneOf("output", f.output, "table", "json")
}

// open is how a command about the lock's images begins.
func (f *imageFlags) open(e *env) (lock images.Lock, asJSON bool, err error) {
	if asJSON, err = f.json(); err != nil {
		return lock, asJSON, err
	}
	lock, err = e.imageLock(f.lock)
	return lock, asJSON, err
}

func imagesCommand(e *env) *cobra.Command {
	var f imageFlags
	cmd := group(&cobra.Command{
		Use:   "images",
		Short: "Container images: those of the stack, pinned, and our own, built",
		Long: `Every image that is not built here is pinned by tag and digest in config/images.json,
the image lock. --images FILE takes another lock, such as that of a mirror: a copy of
the file with other repositories in it. Our own images, frontend, backend and lab,
are built without any container runtime and are named by their digest.`,
	}, imagesListCommand(e, &f), imagesCheckCommand(e, &f), imagesPullCommand(e, &f), imagesPackCommand(e, &f),
		imagesBuildCommand(e, &f), imagesReproduceCommand(e, &f))
	registerImages(cmd.PersistentFlags(), &f.lock)
	cmd.PersistentFlags().StringVarP(&f.output, "output", "o", "table", "table or json")
	return cmd
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/1e6) }
