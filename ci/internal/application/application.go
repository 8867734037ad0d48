// Package application starts an application of any language as a command, gives it the
// standard OTEL_* variables, passes signals on to it, and ends all that it has started.
//
// The package knows nothing of the lab: the caller says where OTLP is received.
package application

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Command is an application to start.
type Command struct {
	// Args are the program and its arguments. The program is looked up in PATH.
	Args []string
	// Dir is where the application runs; "" is the working directory.
	Dir string
	// Env is its whole environment; nil is that of this program.
	Env []string
	// Stdin, Stdout and Stderr are files, so that the application sees a terminal where
	// there is one. nil is the null device.
	Stdin, Stdout, Stderr *os.File
	// Interactive gives the application the terminal that Stdin is, as a shell does: a
	// Ctrl-C there reaches the application, and only it.
	Interactive bool
}

// Process is an application that was started. The methods may be called from several
// goroutines.
type Process struct {
	// PID is the id of the application's first process.
	PID int

	group group
	done  chan struct{}
	exit  Exit
	once  sync.Once
}

// Exit says how an application ended.
type Exit struct {
	// Code is the exit code; 128 and the signal's number when a signal ended the
	// application, as in a shell.
	Code int
	// Signal is the name of the signal that ended the application, or "".
	Signal string
	// Killed says that this program had to kill the application, because the application
	// did not end when it was asked to.
	Killed bool
}

// String says in words how the application ended.
func (e Exit) String() string {
	switch {
	case e.Killed:
		return "it did not end when it was asked to, and was killed"
	case e.Signal != "":
		return "ended by the signal: " + e.Signal
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Exit codes that a shell gives for a program that it cannot start.
const (
	// CodeNotFound says that there is no such program.
	CodeNotFound = 127
	// CodeNotExecutable says that the file is there and is not a program.
	CodeNotExecutable = 126
)

// StartError is the error of [Start]. The application does not run.
type StartError struct {
	// Program is what was to be started.
	Program string
	// Code is the exit code that a shell gives here.
	Code int
	// Reason is what the system says.
	Reason error
}

func (e *StartError) Error() string {
	if e.Code == CodeNotFound {
		return fmt.Sprintf("%s: there is no such program. Give its path, or add its folder to PATH", e.Program)
	}
	return fmt.Sprintf("%s cannot be started: %v", e.Program, e.Reason)
}

// Unwrap returns the system's error.
func (e *StartError) Unwrap() error { return e.Reason }

// Start starts the application in a process group of its own. It fails with a *[StartError].
// On Linux the system ends the application when this program is killed.
func Start(c Command) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, &StartError{Program: "the application", Code: CodeNotFound, Reason: errors.New("no command")}
	}
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	// A nil *os.File in an interface would be a reader that fails.
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	p := &Process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the signal that the application gets at this program's death to the
		// thread that started it: the thread must live as long as the application.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.group.start(cmd, c.Interactive)
		if err == nil {
			p.PID = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.exit = p.group.wait(cmd)
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, startError(c.Args[0], err)
	}
	return p, nil
}

func startError(program string, err error) *StartError {
	e := &StartError{Program: program, Code: CodeNotExecutable, Reason: err}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		e.Code = CodeNotFound
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		e.Reason = path.Err
	}
	return e
}

// Done is closed when the application's first process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit waits until the application has ended and says how.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Signal sends a signal that asks to end to every process of the application, as a terminal
// does, and another signal to the first process. An application that has ended is no error.
func (p *Process) Signal(s os.Signal) { p.group.signal(s) }

// leftGrace is how long the processes that an application leaves behind may take to end.
const leftGrace = 2 * time.Second

// Stop asks the application to end and kills it after the grace period, or when ctx ends.
// Processes that the application leaves behind end, too. Stop returns when all of them
// have ended. After the first call it only returns the result.
func (p *Process) Stop(ctx context.Context, grace time.Duration) Exit {
	p.once.Do(func() {
		killed := false
		select {
		case <-p.done:
		default:
			p.group.askToEnd()
			killed = !p.ended(ctx, grace)
		}
		if killed {
			p.group.kill()
			<-p.done
		}
		p.endLeftovers(ctx)
		p.exit.Killed = killed
		p.group.close()
	})
	<-p.done
	return p.exit
}

// ended waits for the application; false says that the grace period or ctx ended first.
func (p *Process) ended(ctx context.Context, grace time.Duration) bool {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// endLeftovers ends the processes of the application that have outlived its first one.
func (p *Process) endLeftovers(ctx context.Context) {
	if !p.group.left() {
		return
	}
	p.group.askToEnd()
	for until := time.Now().Add(leftGrace); p.group.left(); {
		if time.Now().After(until) || ctx.Err() != nil {
			p.group.kill()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
