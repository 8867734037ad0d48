package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// imageFlags are common to the commands about images.
type imageFlags struct {
	lock     string // another lock than config/images.json
	output   string // table or json
	insecure []string
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
	cmd := &cobra.Command{
		Use:   "images",
		Short: "Container images: those of the stack, pinned, and our own, built",
		Long: `Every image that is not built here is pinned by tag and digest in config/images.json,
the image lock. --images FILE takes another lock, such as that of a mirror: a copy of
the file with other repositories in it. Our own images, frontend, backend and lab,
are built without any container runtime and are named by their digest.`,
		Args: noArgs,
	}
	registerImages(cmd.PersistentFlags(), &f.lock)
	cmd.PersistentFlags().StringVarP(&f.output, "output", "o", "table", "table or json")
	cmd.AddCommand(imagesListCommand(e, &f), imagesCheckCommand(e, &f), imagesPullCommand(e, &f),
		imagesPackCommand(e, &f),
		imagesBuildCommand(e, &f), imagesReproduceCommand(e, &f))
	return cmd
}

// imageLock loads the lock that a command works with.
func (e *env) imageLock(file string) (images.Lock, error) {
	if file == "" {
		root, err := e.root()
		if err != nil {
			return images.Lock{}, err
		}
		file = filepath.Join(root, "config", "images.json")
	}
	return images.Load(file)
}

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
				return e.writeJSON(map[string]any{"images": all})
			}
			return t.Flush()
		},
	}
}

func imagesCheckCommand(e *env, f *imageFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check that every image is pinned, and pinned in the lock alone",
		Long: `check reads the image lock, and then searches the checkout (config, ci, .github and
what builds the images) for images that are not the lock's: another digest, a tag
without one, an image that the lock does not know. It prints each as FILE:LINE and
exits with 1 if there is one. It asks no registry.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			lock, asJSON, err := f.open(e)
			if err != nil {
				return err
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			// The checkout is written for its own lock; another one need only be
			// valid, which it is once it is loaded.
			own, err := e.imageLock("")
			if err != nil {
				return err
			}
			found, err := images.Check(os.DirFS(root), own, build.Names()...)
			if err != nil {
				return err
			}
			if asJSON {
				err = e.writeJSON(map[string]any{"images": len(lock.Names()), "findings": append([]images.Finding{}, found...)})
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

// labPath is a path in the lab's folder.
func (e *env) labPath(elem ...string) (string, error) {
	dir, err := e.labDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(append([]string{dir}, elem...)...), nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/1e6) }

func (e *env) writeJSON(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// buildBase is the base image of our own: what the flag says, else the lock's.
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
