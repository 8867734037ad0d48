package application

import (
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a job object: the application and all that it starts. Windows ends them when the
// last handle to the job closes, so also when this program is killed.
type group struct {
	job windows.Handle
	pid uint32
	// console says that the application gets the console's Ctrl-C itself.
	console bool
}

func (g *group) start(cmd *exec.Cmd, interactive bool) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return err
	}
	g.job, g.console = job, interactive
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		g.close()
		return err
	}
	if !interactive {
		cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	}
	if err := cmd.Start(); err != nil {
		g.close()
		return err
	}
	g.pid = uint32(cmd.Process.Pid)
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, g.pid)
	if err == nil {
		err = windows.AssignProcessToJobObject(job, process)
		_ = windows.CloseHandle(process)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		g.close()
	}
	return err
}

func (g *group) wait(cmd *exec.Cmd) Exit {
	_ = cmd.Wait()
	return Exit{Code: cmd.ProcessState.ExitCode()}
}

// signal passes a Ctrl-C on as a Ctrl-Break, the one event that reaches a single group. An
// application that shares the console has seen the event already.
func (g *group) signal(os.Signal) {
	if !g.console {
		_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, g.pid)
	}
}

func (g *group) askToEnd() { g.signal(os.Interrupt) }

func (g *group) kill() { _ = windows.TerminateJobObject(g.job, 1) }

// left is false: close ends what is left.
func (g *group) left() bool { return false }

func (g *group) close() { _ = windows.CloseHandle(g.job) }

// Passed are the signals that a program which has started an application passes on to it.
func Passed() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

// AsksToEnd tells whether the signal asks a program to end.
func AsksToEnd(os.Signal) bool { return true }
