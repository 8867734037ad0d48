//go:build unix

package labdir

import (
	"io/fs"
	"os"
	"syscall"
)

// isOwn tells whether the file is this user's. Anybody can make files among the
// system's temporary ones.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}
