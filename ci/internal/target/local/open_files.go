package local

import "fmt"

// fewFiles is how many files each component may have open without a warning. The lab comes
// up with 256, and passes `lab verify`; but a connection is a file, too, so that a service
// then accepts some 200 at a time, and lets others wait.
const fewFiles = 1024

// openFilesWarning says what a low limit of open files means and what to do; "" for a limit
// that is high enough, or that is not known (0).
func openFilesWarning(limit uint64) string {
	if limit == 0 || limit >= fewFiles {
		return ""
	}
	return fmt.Sprintf("warning: a program may have only %d files and connections open here; with many clients the services then say \"too many open files\". Before `lab up`: ulimit -n 4096", limit)
}
