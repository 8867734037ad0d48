package cluster

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps the terminal's signals from the command.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
