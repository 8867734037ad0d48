// Package e2e runs the lab as a person does, by its command line, with the real Loki,
// Tempo, Mimir and Alloy, and a real browser.
//
// The tests need the stack's programs and a Chromium on this machine. Without them they
// skip, and say how to get them.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// program is the lab's command, compiled once, in the folder workDir; missing names the
// stack's programs that are not on this machine.
var (
	workDir string
	program string
	missing []string
	root    = filepath.Join("..", "..")
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	lock, err := images.Load(filepath.Join(root, "config", "images.json"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s, err := stack.New(stack.Config{Root: root, Images: lock})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	missing = s.Missing(context.Background())
	if workDir, err = os.MkdirTemp("", "lgtm-lab-e2e-"); err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(workDir)
	program = filepath.Join(workDir, "lab")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if out, err := gotool.Output(context.Background(), "", "build", "-o", program, "../lab"); err != nil {
		fmt.Printf("building the lab's command: %v\n%s", err, out)
		return 1
	}
	if err := limitParallel(); err != nil {
		fmt.Println(err)
		return 1
	}
	code := m.Run()
	if err := endIdle(); err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

// limitParallel lets four tests run at a time, unless -parallel says otherwise. Most of a
// test's time is waiting, so that two processors are enough for four labs. Each lab needs
// 1 GB of memory, so that more processors are no reason for more labs.
func limitParallel() error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", "4")
}

// sources looks at every file that the lab is made from. `go test` takes a result from its
// cache unless a file has changed that the test itself has looked at. It does not see the
// files that the test's commands look at.
var sources = sync.OnceValue(func() error {
	var errs []error
	for _, dir := range []string{"ci", "config", "dashboards", "examples", "services"} {
		errs = append(errs, filepath.WalkDir(filepath.Join(root, dir), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "node_modules" {
				return fs.SkipDir // the lock beside it decides what is in there
			}
			return err
		}))
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		_, err := os.Stat(filepath.Join(root, file))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
})

// needStack skips the test when one of the stack's programs is missing.
func needStack(t *testing.T) {
	t.Helper()
	if err := sources(); err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Skip("runs the whole lab")
	}
	if len(missing) > 0 {
		t.Skipf("%s not on this machine: go run ./ci/lab stack build", strings.Join(missing, ", "))
	}
}

// A testLab is a lab in a folder of its own, on ports of its own.
type testLab struct {
	*testing.T
	dir       string
	addresses target.Addresses
	ports     target.Ports
	release   func() // gives the ports back
	// before are the components' own metrics from which the test counts, by component.
	before map[string]string
	had    map[string]bool // the tests that borrowed the lab
}

// newLab brings a lab up, and takes it down when the test ends. When the test has failed, it
// prints the ends of the components' logs.
func newLab(t *testing.T, flags ...string) *testLab {
	t.Helper()
	needStack(t)
	l := &testLab{T: t, dir: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			l.printLogs()
		}
		l.down()
	})
	l.up(flags...)
	return l
}

// up brings the lab up on ports that no other test has.
func (l *testLab) up(flags ...string) {
	l.Helper()
	var ports []string
	ports, l.release = claimPorts(l.T)
	l.lab(append(append([]string{"up", "--detach"}, ports...), flags...)...)
	l.readAddresses()
}

// down takes the lab down, and gives its ports back. It kills Tempo first, which takes up to
// 8 s to stop: the test has ended, and its traces with it.
func (l *testLab) down() {
	l.Helper()
	if l.release != nil {
		defer l.release()
	}
	state, _ := l.readState() // the test may have taken the lab down
	for _, p := range state.Processes {
		if p.Name != target.Tempo {
			continue
		}
		if proc, err := os.FindProcess(p.PID); err == nil {
			_ = proc.Kill() // it may have ended
		}
	}
	l.lab("down")
}

// labState is what a lab's folder says of it.
type labState struct {
	Addresses target.Addresses `json:"target"`
	Ports     target.Ports     `json:"ports"`
	Processes []struct {
		Name string `json:"name"`
		PID  int    `json:"pid"`
	} `json:"processes"`
}

// readState reads the lab's state. A lab that is down has none.
func (l *testLab) readState() (s labState, err error) {
	raw, err := os.ReadFile(filepath.Join(l.dir, "state.json"))
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	return s, err
}

// readAddresses reads where the lab listens.
func (l *testLab) readAddresses() {
	l.Helper()
	s, err := l.readState()
	if err != nil {
		l.Fatal(err)
	}
	l.addresses, l.ports = s.Addresses, s.Ports
}

// command returns the lab's command with these arguments, for this lab.
func (l *testLab) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, append(args, "--dir", l.dir)...)
	cmd.Dir = root
	return cmd
}

// try runs a command and returns its output and its exit code.
func (l *testLab) try(args ...string) (stdout, stderr string, code int) {
	l.Helper()
	var out, errs bytes.Buffer
	cmd := l.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		l.Fatalf("lab %v: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// lab runs a command that must succeed.
func (l *testLab) lab(args ...string) (stdout string) {
	l.Helper()
	stdout, stderr, code := l.try(args...)
	if code != 0 {
		l.Fatalf("lab %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// component is a component of `lab status -o json`, with its only process.
type component struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	Instances []struct {
		PID    int    `json:"pid"`
		Memory uint64 `json:"memory_bytes"`
	} `json:"instances"`
	PID    int    `json:"-"`
	Memory uint64 `json:"-"`
}

// status returns the components by name.
func (l *testLab) status() map[string]component {
	l.Helper()
	stdout, stderr, _ := l.try("status", "-o", "json")
	var answer struct {
		Components []component `json:"components"`
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		l.Fatalf("lab status: %v\n%s%s", err, stdout, stderr)
	}
	all := map[string]component{}
	for _, c := range answer.Components {
		if len(c.Instances) != 1 {
			l.Fatalf("%s has %d processes, want 1", c.Name, len(c.Instances))
		}
		c.PID, c.Memory = c.Instances[0].PID, c.Instances[0].Memory
		all[c.Name] = c
	}
	return all
}

// kill ends a component as a crash would.
func (l *testLab) kill(name string) {
	l.Helper()
	proc, err := os.FindProcess(l.status()[name].PID)
	if err == nil {
		err = proc.Kill()
	}
	if err != nil {
		l.Fatalf("killing %s: %v", name, err)
	}
	l.eventually(name+" ends", func() bool { return l.status()[name].State == "ended" })
}

// patience is how long a test waits for something before it fails. It is much longer than
// the lab needs, also when other labs and other programs use the same two processors.
const patience = 90 * time.Second

// eventually waits until the condition holds.
func (l *testLab) eventually(what string, so func() bool) {
	l.Helper()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			l.Fatalf("after %v not yet: %s", patience, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (l *testLab) printLogs() {
	names, _ := filepath.Glob(filepath.Join(l.dir, "logs", "*.log"))
	for _, name := range names {
		raw, _ := os.ReadFile(name)
		l.Logf("%s ends:\n%s", filepath.Base(name), raw[max(0, len(raw)-1500):])
	}
}

// client sends the requests of the tests themselves.
var client = &http.Client{Timeout: 10 * time.Second}
