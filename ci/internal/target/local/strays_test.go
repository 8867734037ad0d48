package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// bystander starts a process with these arguments and environment, which is ended when
// the test ends.
func bystander(t *testing.T, program string, env []string, args ...string) Process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := Process{Name: strings.Join(append(env, args...), " "), PID: cmd.Process.Pid}
	p.identify()
	return p
}

// The lab leaves alone a user's program that has a file of the lab open, and the
// components of other labs.
func TestBystandersAreLeftAlone(t *testing.T) {
	l, told := testLab(t)
	up(t, l)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	if other.Err != nil {
		t.Skip(other.Err)
	}
	elsewhere, err := labdir.Claim(filepath.Join(t.TempDir(), "lab"))
	if err != nil {
		t.Fatal(err)
	}
	free := "BYSTANDER_HTTP_PORT=0"
	mark := ownership(l.folder, "loki", self)
	copied := l.folder
	copied.Path = elsewhere.Path
	var all []Process
	for _, args := range [][]string{
		{l.layout.data("backend") + "/users.db"},
		{"-f", l.layout.log("loki")},
		{"-config.file=" + l.layout.configOf("loki")},
		{"exec", l.layout.bin("backend")},
	} {
		all = append(all, bystander(t, self, []string{free}, append([]string{"component", "bystander"}, args...)...))
	}
	for _, env := range [][]string{
		ownership(elsewhere, "loki", self),                                // another lab
		ownership(labdir.Folder{Path: l.folder.Path}, "loki", self),       // no ID
		ownership(copied, "loki", self),                                   // the lab that this one is a copy of
		ownership(l.folder, "an editor", self),                            // no component
		ownership(l.folder, "loki", filepath.Join(l.folder.Path, "loki")), // another program
		{strings.Replace(strings.Join(mark[:1], ""), l.folder.ID, l.folder.ID+"0", 1)},
	} {
		all = append(all, bystander(t, self, append(env, free), "component", "bystander"))
	}
	// A program that a component has started, and that outlives it.
	all = append(all, bystander(t, other.Path, mark, "60"))
	// A process takes a moment to become what it is to be.
	for deadline := time.Now().Add(20 * time.Second); len(left(l)) != 6; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d processes are recognised as the lab's, want 6", len(left(l)))
		}
	}
	up(t, l)
	if _, err := l.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if !p.alive() {
			t.Errorf("the lab has ended %s", p.Name)
		}
	}
	if strings.Contains(told.String(), "left behind") {
		t.Errorf("told: %s", told)
	}
}

// A lab whose path ends like another's, or that is reached by another path, is another.
func TestLabsSideBySide(t *testing.T) {
	one, _ := testLab(t)
	two, _ := testLab(t)
	two.layout.dir = filepath.Join(filepath.Dir(two.cfg.Dir), one.layout.dir)
	state, _ := up(t, two)
	up(t, one)
	if _, err := one.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range state.Processes {
		if !p.alive() {
			t.Errorf("the lab in %s has ended %s of the one in %s", one.layout.dir, p.Name, two.layout.dir)
		}
	}
}

// The start of a process as wall-clock time moves when the clock is set, and when the
// machine has slept.
func TestClockStep(t *testing.T) {
	if startOf(os.Getpid()) == "" {
		t.Skip("this system keeps the time at which a process began")
	}
	l, _ := testLab(t)
	for _, step := range []time.Duration{-90 * time.Second, 5 * time.Hour} {
		state, _ := up(t, l)
		for i := range state.Processes {
			state.Processes[i].Created += step.Milliseconds()
		}
		if err := state.write(l.folder); err != nil {
			t.Fatal(err)
		}
		if ended := state.Ended(); len(ended) != 0 {
			t.Errorf("after a step of %v, %d components have ended", step, len(ended))
		}
		if _, started := up(t, l); len(started) != 0 {
			t.Errorf("after a step of %v, Up started %v", step, started)
		}
		if stopped, err := l.Down(t.Context()); len(stopped) != 6 || err != nil {
			t.Errorf("after a step of %v, Down() = %v, %v", step, stopped, err)
		}
		if rest := left(l); len(rest) != 0 {
			t.Errorf("after a step of %v and Down still running: %v", step, rest)
		}
	}
}
