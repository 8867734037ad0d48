//go:build !windows

package bench

import (
	"os/exec"
	"syscall"
)

// ownGroup gives the program a process group of its own, so that Ctrl-C at the terminal
// does not end it under a measurement, and so that its children can be ended with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func askToEnd(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
