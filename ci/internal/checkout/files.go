package checkout

import (
	"io/fs"
	"os"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/config"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// Files are what a lab is made from besides programs: config/ and dashboards/*.json, under
// the paths that they have in a checkout.
type Files struct {
	fs.FS
	// Root is the checkout that the files are in; "" for those built into this program.
	Root string
}

// Find returns the files of the checkout that the working directory is in. Outside of a
// checkout it returns those that were built into this program.
func Find() Files {
	root, err := Root()
	if err != nil {
		return BuiltIn()
	}
	return Files{os.DirFS(root), root}
}

// BuiltIn returns the files as they were when this program was built.
func BuiltIn() Files {
	return Files{FS: builtIn{"config": config.Files, "dashboards": dashboards.Files()}}
}

// builtIn puts file systems side by side, each into a folder of its own.
type builtIn map[string]fs.FS

// Open implements [fs.FS]. There is no list of the folders.
func (b builtIn) Open(name string) (fs.File, error) {
	folder, below, _ := strings.Cut(name, "/")
	files, ok := b[folder]
	if !ok || !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if below == "" {
		below = "."
	}
	return files.Open(below)
}
