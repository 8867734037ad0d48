//go:build !windows

package progress

import "os"

// enableEscapes tells whether the terminal f knows escape sequences.
func enableEscapes(*os.File) bool { return true }
