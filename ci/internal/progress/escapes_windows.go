package progress

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableEscapes makes the console heed escape sequences, which it does not by
// itself, and tells whether it can.
func enableEscapes(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	if windows.GetConsoleMode(console, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
