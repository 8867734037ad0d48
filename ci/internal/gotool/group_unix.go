//go:build unix

package gotool

import (
	"os/exec"
	"syscall"
)

// group is a process group: the command and all that it starts.
type group struct{ pgid int }

// startGroup starts cmd as the leader of a process group of its own, which a
// terminal's Ctrl-C therefore does not reach: runTree decides when it ends.
func startGroup(cmd *exec.Cmd) (group, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return group{}, err
	}
	return group{pgid: cmd.Process.Pid}, nil
}

// interrupt lets go build remove its work directory, which a kill leaves behind.
func (g group) interrupt() { _ = syscall.Kill(-g.pgid, syscall.SIGINT) }

// askToEnd is for a tree that was asked already, through its standard input. The
// interrupt is for the go command, which may still be compiling.
func (g group) askToEnd() { g.interrupt() }

func (g group) kill() { _ = syscall.Kill(-g.pgid, syscall.SIGKILL) }

func (g group) close() {}
