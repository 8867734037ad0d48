//go:build unix

package local

import "golang.org/x/sys/unix"

// openFilesLimit is how many files a program that is started from here may have open; 0 if
// that is not known. Programs in Go raise their own limit to the highest that is allowed.
func openFilesLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Max) //nolint:unconvert // it is an int64 on FreeBSD
}
