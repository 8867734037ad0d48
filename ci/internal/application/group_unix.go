//go:build unix

package application

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// group is a process group: the application and all that it starts, unless a program makes
// a group of its own.
type group struct {
	pgid int
	// terminal is the file descriptor of the terminal that the group was given; -1 for none.
	terminal int
}

// start starts the command as the leader of a new group. A background group may not read
// from the terminal, so an interactive application becomes the foreground group.
func (g *group) start(cmd *exec.Cmd, interactive bool) error {
	g.terminal = -1
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	if in, ok := cmd.Stdin.(*os.File); ok && interactive && isForeground(int(in.Fd())) {
		g.terminal = int(in.Fd())
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, g.terminal
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	g.pgid = cmd.Process.Pid
	return nil
}

// isForeground tells whether the file is a terminal and this program may hand it on: a
// program that was started with & in a shell may not.
func isForeground(fd int) bool {
	foreground, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// wait returns when the first process has ended. A Ctrl-Z stops the application alone:
// wait then takes the terminal back and stops this program too, so that the shell that
// started this program notices.
func (g *group) wait(cmd *exec.Cmd) Exit {
	defer func() { _ = cmd.Process.Release() }()
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(g.pgid, &status, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return Exit{Code: 1, Signal: err.Error()}
		case status.Stopped():
			if g.terminal >= 0 {
				g.toForeground(unix.Getpgrp())
				_ = syscall.Kill(0, syscall.SIGSTOP) // goes on when the shell says `fg`
				g.toForeground(g.pgid)
				_ = syscall.Kill(-g.pgid, syscall.SIGCONT)
			}
		default:
			if g.terminal >= 0 {
				g.toForeground(unix.Getpgrp())
			}
			return exitOf(status)
		}
	}
}

func exitOf(status syscall.WaitStatus) Exit {
	if status.Signaled() {
		return Exit{Code: 128 + int(status.Signal()), Signal: status.Signal().String()}
	}
	return Exit{Code: status.ExitStatus()}
}

// toForeground gives the terminal to a process group. The system stops a background group
// that does so, unless the group ignores SIGTTOU.
func (g *group) toForeground(pgid int) {
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	_ = unix.IoctlSetPointerInt(g.terminal, unix.TIOCSPGRP, pgid)
}

func (g *group) signal(s os.Signal) {
	number, ok := s.(syscall.Signal)
	switch {
	case ok && AsksToEnd(s):
		_ = syscall.Kill(-g.pgid, number)
	case ok:
		_ = syscall.Kill(g.pgid, number)
	}
}

func (g *group) askToEnd() { _ = syscall.Kill(-g.pgid, syscall.SIGTERM) }

func (g *group) kill() { _ = syscall.Kill(-g.pgid, syscall.SIGKILL) }

// left tells whether any process of the group runs.
func (g *group) left() bool {
	return !errors.Is(syscall.Kill(-g.pgid, 0), syscall.ESRCH) && runs(g.pgid)
}

func (g *group) close() {}

// Passed are the signals that a program which has started an application passes on to it.
// SIGHUP is not among them where this program was started with nohup.
func Passed() []os.Signal {
	signals := []os.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
	}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// AsksToEnd tells whether the signal asks a program to end.
func AsksToEnd(s os.Signal) bool {
	return s == syscall.SIGINT || s == syscall.SIGTERM || s == syscall.SIGHUP || s == syscall.SIGQUIT
}
