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

// open reads the flags and the lock, for a command about the lock's images.
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
		Short: "Container images: fetch and check the stack's, build our own",
		Long: `The image lock, config/images.json, pins every image of others by tag and digest.
--images FILE takes another lock, such as a mirror's: a copy of the file with other
repositories in it. The lab builds its own images, frontend, backend and lab, without
any container runtime, and names them by their digest.`,
	}, imagesListCommand(e, &f), imagesCheckCommand(e, &f), imagesPullCommand(e, &f), imagesPackCommand(e, &f),
		imagesBuildCommand(e, &f), imagesReproduceCommand(e, &f))
	registerImages(cmd.PersistentFlags(), &f.lock)
	cmd.PersistentFlags().StringVarP(&f.output, "output", "o", "table", "table or json")
	return cmd
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/1e6) }
