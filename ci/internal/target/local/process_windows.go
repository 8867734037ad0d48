package local

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach gives the process a group of its own, so that a Ctrl-C in the console
// does not reach it and a Ctrl-Break can be sent to it alone. Closing the console's
// window ends the process all the same.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// askToEnd asks the process to end: Go programs see a Ctrl-Break as SIGINT.
// It fails for a process of another console, which is then ended.
func askToEnd(p *os.Process) error {
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.Pid))
}

const exeSuffix = ".exe"
