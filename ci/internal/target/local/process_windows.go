package local

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
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

// freeze and thaw have no counterpart on Windows.
func freeze(*os.Process) error {
	return fmt.Errorf("freezing a process on Windows: %w", target.ErrNotHere)
}

func thaw(*os.Process) error { return nil }

const exeSuffix = ".exe"
