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

	"github.com/shirou/gopsutil/v4/process"
)

// start runs the component with its output appended to its log. The process
// outlives this program: it has a session of its own and its output goes to a
// file, so neither a closed terminal nor a Ctrl-C reaches it.
func start(s spec, logPath string) (Process, *exec.Cmd, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Process{}, nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.path, s.args...)
	cmd.Dir = s.dir
	cmd.Env = append(environment(), s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return Process{}, nil, fmt.Errorf("starting %s: %w", s.name, err)
	}
	p := Process{
		Name: s.name, PID: cmd.Process.Pid, Path: s.path, Fingerprint: s.fingerprint,
		Log: logPath, Ready: s.ready,
	}
	if proc, err := process.NewProcess(int32(p.PID)); err == nil {
		p.Created, _ = proc.CreateTime()
	}
	return p, cmd, nil
}

// environment is this program's, less the variables that configure the lab's
// own components: what a shell happens to export must not change the lab.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return slices.ContainsFunc([]string{"OTEL_", "GF_", "LAB_"}, func(prefix string) bool {
			return strings.HasPrefix(entry, prefix)
		})
	})
}

// alive tells whether the process still runs, and is the one that was started:
// a PID may have been given to another program since.
func (p Process) alive() bool {
	proc, err := process.NewProcess(int32(p.PID))
	if err != nil {
		return false
	}
	if status, err := proc.Status(); err == nil && slices.Contains(status, process.Zombie) {
		return false
	}
	created, err := proc.CreateTime()
	if err != nil {
		return false
	}
	// The time is derived from the boot time, which the kernel rounds.
	const tolerance = 2000
	if p.Created != 0 && abs(created-p.Created) > tolerance {
		return false
	}
	exe, err := proc.Exe()
	return err != nil || sameFile(exe, p.Path)
}

// sameFile compares a running program's path with the one it was started by. A
// program that was rebuilt meanwhile shows as "… (deleted)" on Linux.
func sameFile(exe, path string) bool {
	exe = strings.TrimSuffix(exe, " (deleted)")
	if exe == path {
		return true
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && real == exe {
		return true
	}
	return filepath.Base(exe) == filepath.Base(path)
}

// memory returns the resident memory in bytes, 0 when it cannot be known.
func (p Process) memory() uint64 {
	proc, err := process.NewProcess(int32(p.PID))
	if err != nil {
		return 0
	}
	info, err := proc.MemoryInfo()
	if err != nil {
		return 0
	}
	return info.RSS
}

// stop asks the process to end, and ends it after the grace period. It returns
// once the process is gone.
func (p Process) stop(grace time.Duration) error {
	if !p.alive() {
		return nil
	}
	proc, err := os.FindProcess(p.PID)
	if err != nil {
		return nil // gone since
	}
	if err := interrupt(proc); err == nil && p.gone(grace) {
		return nil
	}
	if err := proc.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending %s (process %d): %w", p.Name, p.PID, err)
	}
	if !p.gone(10 * time.Second) {
		return fmt.Errorf("%s (process %d) does not end", p.Name, p.PID)
	}
	return nil
}

// gone waits until the process has ended, or the time is up.
func (p Process) gone(within time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for p.alive() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

// strays finds processes of the lab in dir that its state does not know: what a
// lab that was killed between starting a process and noting it leaves behind.
// Every component has a file of the lab's folder on its command line.
func strays(dir string, known []Process) []Process {
	all, err := process.Processes()
	if err != nil {
		return nil
	}
	var found []Process
	for _, proc := range all {
		pid := int(proc.Pid)
		if pid == os.Getpid() || slices.ContainsFunc(known, func(p Process) bool { return p.PID == pid }) {
			continue
		}
		args, err := proc.CmdlineSlice()
		if err != nil || len(args) == 0 {
			continue
		}
		name := componentOf(dir, args)
		if name == "" {
			continue
		}
		exe, _ := proc.Exe()
		created, _ := proc.CreateTime()
		found = append(found, Process{Name: name, PID: pid, Path: exe, Created: created})
	}
	return found
}

// componentOf tells which component of the lab in dir has this command line;
// "" when it is none. See spec: a service's program is in dir/bin, the others
// are given dir/config or, for Grafana, dir/data.
func componentOf(dir string, args []string) string {
	sep := string(filepath.Separator)
	for _, name := range order {
		marks := []string{
			filepath.Join(dir, "bin", name),
			filepath.Join(dir, "config", name) + ".",
			filepath.Join(dir, "data", name) + sep,
		}
		for _, arg := range args {
			for _, mark := range marks {
				if strings.Contains(arg, mark) {
					return name
				}
			}
		}
	}
	return ""
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
