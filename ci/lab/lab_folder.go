package main

import (
	"cmp"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// registerDir adds the flag of the lab's folder.
func (e *env) registerDir(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.dir, "dir", "", "the lab's folder: data, logs, list of processes (default $LAB_DIR, or .lab in the checkout, or outside of one lgtm-lab in the folder for the state of your programs)")
}

// labDir returns the path of the lab's folder.
func (e *env) labDir() (string, error) {
	if dir := cmp.Or(e.dir, e.getenv("LAB_DIR")); dir != "" {
		return filepath.Abs(dir)
	}
	if root, err := checkout.Root(); err == nil {
		return filepath.Join(root, ".lab"), nil
	}
	return labdir.OfUser(e.getenv)
}

// labPath returns a path in the lab's folder, and makes that folder. It refuses a folder
// that is not the lab's.
func (e *env) labPath(elem ...string) (string, error) {
	dir, err := e.labDir()
	if err != nil {
		return "", err
	}
	folder, err := labdir.Claim(dir)
	return filepath.Join(append([]string{folder.Path}, elem...)...), err
}
