package labdir

import "io/fs"

// isOwn tells whether the file is this user's. On Windows each user has a folder for
// temporary files that others cannot write to.
func isOwn(fs.FileInfo) bool { return true }
