// Package command knows this program: which version of the lab it is, and how a person
// calls it again.
package command

import (
	"runtime/debug"
	"strings"
	"sync"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
)

// Name is what a person types to run this program from the working directory: `go run
// ./ci/lab` in a checkout, else `lab`.
var Name = sync.OnceValue(func() string {
	if _, err := checkout.Root(); err != nil {
		return "lab"
	}
	return "go run ./ci/lab"
})

// Development is the version of a program that was built in a folder of sources.
const Development = "(devel)"

// Version is the version of the lab that this program is, as Go's build information has
// it: v1.2.3 for a program of `go install …@v1.2.3`, [Development] for one that was built
// from a checkout without git's information.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Development
	}
	return version(info)
}

// version returns the lab's version in a program's build information.
func version(info *debug.BuildInfo) string {
	if info.Main.Path == checkout.Module && info.Main.Version != "" {
		return info.Main.Version
	}
	return Development
}

// IsPublished tells whether a version may be asked for from a module proxy: it names a
// commit, and no file was edited on top of it.
func IsPublished(version string) bool {
	return strings.HasPrefix(version, "v") && !strings.HasSuffix(version, "+dirty")
}
