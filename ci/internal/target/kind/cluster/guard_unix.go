//go:build unix

package cluster

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the command into a process group of its own, so that the terminal's signals
// do not reach it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
