//go:build unix

package local

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives the process a session of its own, away from the terminal.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// askToEnd asks the process to end.
func askToEnd(p *os.Process) error {
	return p.Signal(syscall.SIGTERM)
}

// freeze stops the process until thaw lets it go on.
func freeze(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func thaw(p *os.Process) error { return p.Signal(syscall.SIGCONT) }

const exeSuffix = ""
