package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func TestUpBusyPort(t *testing.T) {
	l, _ := testLab(t)
	var err error
	if l.cfg.Ports, err = target.FreePorts(); err != nil {
		t.Fatal(err)
	}
	l.cfg.FreePorts = false
	busy, err := net.Listen("tcp", target.Loopback(l.cfg.Ports.Tempo))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, _, err = l.Up(t.Context())
	if err == nil {
		t.Fatal("Up() with a busy port succeeded")
	}
	for _, want := range []string{fmt.Sprint(l.cfg.Ports.Tempo), "tempo", fmt.Sprintf("process %d", os.Getpid()), "--free-ports"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message %q does not say %q", err, want)
		}
	}
	if rest := left(l); len(rest) != 0 {
		t.Errorf("left running: %v", rest)
	}
}

// A port that another program took while its component was down: `up` says who has it,
// leaves the rest of the lab alone, and starts the component when the port is free.
func TestUpWaitsForAStolenPort(t *testing.T) {
	l, told := testLab(t)
	state, _ := up(t, l)
	kill(t, *state.process("tempo"))
	thief, err := net.Listen("tcp", target.Loopback(state.Ports.Tempo))
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()

	// It is given up when it says that it waits.
	givenUp := errors.New("given up")
	say := l.cfg.Progress
	attempt := func(what func(context.Context) error) error {
		ctx, giveUp := context.WithCancelCause(t.Context())
		defer giveUp(nil)
		l.cfg.Progress = func(line string) {
			if say(line); strings.Contains(line, "waiting up to") {
				giveUp(givenUp)
			}
		}
		return what(ctx)
	}
	// Mending waits, too, and does not take the other program for the component.
	if err := attempt(l.mend); !errors.Is(err, givenUp) {
		t.Errorf("while the port is taken, mend() = %v", err)
	}
	if err := attempt(func(ctx context.Context) error { _, _, err := l.Up(ctx); return err }); !errors.Is(err, givenUp) {
		t.Errorf("while the port is taken, Up() = %v", err)
	}
	for _, want := range []string{fmt.Sprintf("port %d, which tempo needs", state.Ports.Tempo), fmt.Sprintf("process %d", os.Getpid()), "waiting"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("said %q, without %q", told, want)
		}
	}
	if n := len(left(l)); n != 5 {
		t.Errorf("%d of the 5 other components run", n)
	}
	l.cfg.Progress = func(line string) {
		if say(line); strings.Contains(line, "waiting up to") {
			_ = thief.Close()
		}
	}
	if _, started := up(t, l); !slices.Equal(started, []string{"tempo"}) {
		t.Errorf("once the port was free, Up started %v", started)
	}
}

func TestUpComponentFails(t *testing.T) {
	l, _ := testLab(t)
	tell(t, l, "mimir.fails")
	_, _, err := l.Up(t.Context())
	var failed *ComponentError
	if !errors.As(err, &failed) || failed.Name != "mimir" {
		t.Fatalf("Up() = %v, want a ComponentError of mimir", err)
	}
	for _, want := range []string{"exit status 3", "cannot do mimir", l.layout.log("mimir")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message %q does not say %q", err, want)
		}
	}
	if rest := left(l); len(rest) != 0 {
		t.Errorf("left running: %v", rest)
	}
}

func TestUpInterrupted(t *testing.T) {
	l, _ := testLab(t)
	tell(t, l, "mimir.hangs")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, _, err := l.Up(ctx); ended <- err }()
	_, err := waitFor(t, func() (Process, error) {
		for _, p := range left(l) {
			if p.Name == "mimir" {
				return p, nil
			}
		}
		return Process{}, errors.New("mimir has not begun")
	})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Up() = %v, want context.Canceled", err)
	}
	if rest := left(l); len(rest) != 0 {
		t.Errorf("left running: %v", rest)
	}
}

func waitFor[T any](t *testing.T, try func() (T, error)) (T, error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		v, err := try()
		if err == nil || time.Now().After(deadline) {
			return v, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestDeadComponent(t *testing.T) {
	l, told := testLab(t)
	state, _ := up(t, l)
	p := *state.process("tempo")
	kill(t, p)
	ended := state.Ended()
	if len(ended) != 1 || ended[0].Name != "tempo" || !strings.Contains(ended[0].Error(), "tempo begins") {
		t.Fatalf("Ended() = %v, want tempo with the end of its log", ended)
	}
	if _, started := up(t, l); !slices.Equal(started, []string{"tempo"}) {
		t.Errorf("Up started %v, want tempo alone", started)
	}
	if !strings.Contains(told.String(), "tempo has ended: starting it again") {
		t.Errorf("told: %s", told)
	}
}

func kill(t *testing.T, p Process) {
	t.Helper()
	proc, err := os.FindProcess(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if !p.gone(ctx) {
		t.Fatalf("%s does not end", p.Name)
	}
}

// A `lab` that is killed between starting a process and noting it leaves a
// process that no state knows.
func TestStraysAreEnded(t *testing.T) {
	l, told := testLab(t)
	state, _ := up(t, l)
	old := state.PID("loki")
	if err := os.Remove(l.layout.state()); err != nil {
		t.Fatal(err)
	}
	state, started := up(t, l)
	if len(started) != 6 || state.PID("loki") == old {
		t.Errorf("Up started %v, want everything anew", started)
	}
	if n := len(left(l)); n != 6 {
		t.Errorf("%d processes run, want 6", n)
	}
	if !strings.Contains(told.String(), "left behind by an earlier run") {
		t.Errorf("told: %s", told)
	}
	write(t, l.layout.state(), "{ damaged")
	if _, err := l.Down(t.Context()); err != nil {
		t.Errorf("Down() with a damaged state = %v", err)
	}
	if rest := left(l); len(rest) != 0 {
		t.Errorf("left running: %v", rest)
	}
}

// A process id in an old state may belong to somebody else by now.
func TestForeignProcessIsLeftAlone(t *testing.T) {
	l, _ := testLab(t)
	other := exec.Command(os.Args[0], "component", "bystander")
	other.Env = append(os.Environ(), "BYSTANDER_HTTP_PORT=0")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	folder, err := labdir.Claim(l.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	state := State{Processes: []Process{
		{Name: "loki", PID: other.Process.Pid, Path: "/usr/bin/loki", Created: 1},
		{Name: "tempo", PID: other.Process.Pid, Path: other.Path, Start: "another boot 1"},
	}}
	if err := state.write(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Down(t.Context()); !errors.Is(err, ErrNotUp) {
		t.Errorf("Down() = %v, want ErrNotUp", err)
	}
	me := Process{Name: "bystander", PID: other.Process.Pid, Path: other.Path}
	if !me.alive() {
		t.Error("Down ended a process that is not the lab's")
	}
}

// A component that does not stop when asked is killed: at once when the caller does not
// want to wait any longer.
func TestDownInAHurry(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the component would have to ignore a Ctrl-Break")
	}
	l, told := testLab(t)
	tell(t, l, "loki.stays")
	tell(t, l, "mimir.stays")
	up(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	stopped, err := l.Down(ctx)
	if err != nil || len(stopped) != 6 {
		t.Errorf("Down() = %v, %v", stopped, err)
	}
	if took := time.Since(begin); took > graceOf("loki") {
		t.Errorf("Down took %v, though its context had ended", took)
	}
	if rest := left(l); len(rest) != 0 {
		t.Errorf("left running: %v", rest)
	}
	for _, name := range []string{"loki", "mimir"} {
		if !strings.Contains(told.String(), name+" (process") || !strings.Contains(told.String(), "killed it") {
			t.Errorf("nobody is told that %s was killed: %s", name, told)
		}
	}
}

// One bound holds for the whole lab, however many components use up their own.
func TestGraceFitsTheBound(t *testing.T) {
	longest := time.Duration(0)
	for _, name := range order {
		longest = max(longest, graceOf(name))
	}
	if longest >= stopWithin {
		t.Errorf("one component may take %v, the lab %v", longest, stopWithin)
	}
}
