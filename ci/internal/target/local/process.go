package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/common"
	"github.com/shirou/gopsutil/v4/process"
)

// thisMachine asks about this machine's processes, though HOST_PROC may be exported
// for a monitoring agent.
var thisMachine = context.WithValue(context.Background(), common.EnvKey, common.EnvMap{common.HostProcEnvKey: "/proc"})

// start runs the component with its output appended to its log. The process
// outlives this program: it has a session of its own and its output goes to a
// file, so neither a closed terminal nor a Ctrl-C reaches it; but see detach on
// Windows.
func start(s spec, logPath string) (Process, *exec.Cmd, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Process{}, nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.path, s.args...)
	cmd.Dir = s.dir
	cmd.Env = append(environment(os.Environ()), s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return Process{}, nil, fmt.Errorf("starting %s: %w", s.name, err)
	}
	p := Process{Name: s.name, PID: cmd.Process.Pid, Path: s.path, Fingerprint: s.fingerprint, Log: logPath, Ready: s.ready,
		Args: s.args, Env: s.env, Dir: s.dir, Receives: s.receives}
	p.identify()
	return p, cmd, nil
}

// identify notes what tells the process that now has this PID from a later one.
func (p *Process) identify() {
	p.Start = startOf(p.PID)
	if proc, err := process.NewProcessWithContext(thisMachine, int32(p.PID)); err == nil {
		p.Created, _ = proc.CreateTimeWithContext(thisMachine)
	}
}

// alive tells whether the process still runs, and is the one that was started: the
// system may have given its PID to another program since.
func (p Process) alive() bool {
	if p.Start != "" {
		return startOf(p.PID) == p.Start
	}
	proc, err := process.NewProcessWithContext(thisMachine, int32(p.PID))
	if err != nil {
		return false
	}
	if status, err := proc.StatusWithContext(thisMachine); err == nil && slices.Contains(status, process.Zombie) {
		return false
	}
	created, err := proc.CreateTimeWithContext(thisMachine)
	if err != nil {
		return false
	}
	// An earlier version of the lab on Linux has noted this time alone, which the
	// kernel rounds.
	const tolerance = 2000
	if p.Created != 0 && abs(created-p.Created) > tolerance {
		return false
	}
	exe, err := proc.ExeWithContext(thisMachine)
	return err != nil || isSameProgram(exe, p.Path)
}

// hasEntry tells whether the ended process is still in the system's table.
func (p Process) hasEntry() bool {
	there, err := process.PidExistsWithContext(thisMachine, int32(p.PID))
	return err == nil && there
}

// isSameProgram compares a running program's file with the one it was started by. Of a
// program that was rebuilt meanwhile, the file was renamed and then deleted.
func isSameProgram(exe, path string) bool {
	exe = strings.TrimSuffix(strings.TrimSuffix(exe, " (deleted)"), ".old")
	if exe == path {
		return true
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && real == exe {
		return true
	}
	// The last component of a path may be a link, and its target be gone by now.
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	return err == nil && filepath.Join(dir, filepath.Base(path)) == exe
}

// memory returns the resident memory in bytes, 0 when it cannot be known.
func (p Process) memory() uint64 {
	proc, err := process.NewProcessWithContext(thisMachine, int32(p.PID))
	if err != nil {
		return 0
	}
	info, err := proc.MemoryInfoWithContext(thisMachine)
	if err != nil {
		return 0
	}
	return info.RSS
}

// stop asks the process to end, and kills it after the grace period, or when ctx
// ends. It returns once the process is gone; killed says that it did not end by itself.
func (p Process) stop(ctx context.Context, grace time.Duration) (killed bool, err error) {
	// The handle is taken before the look at the process: it then stays with that
	// process, though its PID should pass to another.
	proc, err := os.FindProcess(p.PID)
	if err != nil || !p.alive() {
		return false, nil // gone
	}
	defer func() { _ = proc.Release() }()
	if ctx.Err() == nil {
		graceful, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		if err := askToEnd(proc); err == nil && p.gone(graceful) {
			return false, nil
		}
	}
	if err := proc.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, fmt.Errorf("ending %s (process %d): %w", p.Name, p.PID, err)
	}
	killing, cancel := context.WithTimeout(context.Background(), killWithin)
	defer cancel()
	if !p.gone(killing) {
		return true, fmt.Errorf("%s (process %d) does not end", p.Name, p.PID)
	}
	return true, nil
}

// killWithin is how long the system may take to end a killed process. It takes
// milliseconds, unless the process waits for a disk that does not answer.
const killWithin = 5 * time.Second

// gone waits until the process has ended; false says that ctx ended first.
func (p Process) gone(ctx context.Context) bool {
	for p.alive() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
