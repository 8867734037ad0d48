package cluster

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The second caller waits until the first has let go.
func TestGuard(t *testing.T) {
	f := newFake()
	f.images["kindest/node:v1.34.4"] = "id"
	c := f.cluster(t, nil)
	var holders atomic.Int32
	c.hold = func(_ context.Context, name, image string) (func(), error) {
		if name != "lab-guard" || image != "kindest/node:v1.34.4" {
			t.Errorf("the guard is %s of %s", name, image)
		}
		if !holders.CompareAndSwap(0, 1) {
			return nil, errHeld
		}
		return func() { holders.Store(0) }, nil
	}
	release, err := c.Guard(t.Context(), func() { t.Error("the first caller waits") })
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan bool, 1)
	second := make(chan error, 1)
	go func() {
		release, err := c.Guard(t.Context(), func() { waited <- true })
		if err == nil {
			release()
		}
		second <- err
	}()
	<-waited
	release()
	if err := <-second; err != nil {
		t.Errorf("the second Guard = %v", err)
	}
	release, err = c.Guard(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Guard(ctx, func() {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Guard of a guarded cluster = %v, want that ctx ended it", err)
	}
}

// dockerRun puts a docker command on PATH whose `run` acts like the real one: it passes
// standard input to cat, and refuses a name that is taken.
func dockerRun(t *testing.T) (taken string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the fake docker is a shell script")
	}
	dir := t.TempDir()
	taken = filepath.Join(dir, "taken")
	script := "#!/bin/sh\nif ! mkdir " + taken + " 2>/dev/null; then echo 'The container name is already in use by container' >&2; exit 125; fi\ncat\nrmdir " + taken + "\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return taken
}

func TestHold(t *testing.T) {
	taken := dockerRun(t)
	release, err := hold(t.Context(), "lab-guard", "image")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold(t.Context(), "lab-guard", "image"); !errors.Is(err, errHeld) {
		t.Errorf("a second hold = %v, want errHeld", err)
	}
	release()
	if _, err := os.Stat(taken); !os.IsNotExist(err) {
		t.Error("the guard outlives its release")
	}
}

// dockerExec puts a docker command on PATH that knows one node, whose commands run here. They
// are processes of their own: who kills docker does not kill what an exec has started.
func dockerExec(t *testing.T, kubectl string) *Cluster {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the fake docker is a shell script")
	}
	dir := t.TempDir()
	for name, script := range map[string]string{
		"docker": `case $1 in
ps) echo lab-control-plane ;;
exec) while [ "$1" != lab-control-plane ]; do shift; done; shift; "$@"; exit ;;
*) exit 1 ;;
esac`,
		"kubectl": kubectl,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return New(Config{Name: "lab"})
}

// kubectl goes through a real exec: it returns what was printed, and when it ends.
func TestKubectlReturns(t *testing.T) {
	c := dockerExec(t, `echo "asked $*"; echo "no such thing" >&2; exit 4`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := c.Kubectl(ctx, nil, "get", "pods")
	if err == nil || !strings.Contains(err.Error(), "no such thing") || !strings.Contains(string(out), "get pods") {
		t.Errorf("Kubectl = %q, %v; want what it printed, and its complaint", out, err)
	}
}

// An exec through a socket that Dagger forwards does not return before its input ends. kubectl
// returns when it ends all the same.
func TestKubectlReturnsThroughAForwardedSocket(t *testing.T) {
	c := dockerExec(t, `echo "asked $*"; echo "no such thing" >&2; exit 4`)
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(docker)
	if err != nil {
		t.Fatal(err)
	}
	late := strings.Replace(string(script), `"$@"; exit ;;`, `"$@"; code=$?; cat >/dev/null; exit $code ;;`, 1)
	if late == string(script) {
		t.Fatal("the fake docker has changed")
	}
	if err := os.WriteFile(docker, []byte(late), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := c.Kubectl(ctx, nil, "get", "pods")
	if err == nil || !strings.HasSuffix(err.Error(), "no such thing") || !strings.Contains(string(out), "get pods") {
		t.Errorf("Kubectl = %q, %v; want what it printed, and its complaint", out, err)
	}
}

// A kubectl that is interrupted ends, too.
func TestKubectlInterrupted(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "pid")
	c := dockerExec(t, `echo $$ > `+mark+`; echo begins; exec sleep 600`)
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- c.KubectlTo(ctx, writerFunc(func([]byte) { close(begun) }), nil, "logs", "--follow") }()
	<-begun
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("KubectlTo = %v", err)
	}
	raw, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	sleeper, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); sleeper.Signal(syscall.Signal(0)) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = sleeper.Kill()
			t.Fatal("kubectl goes on in the node")
		}
	}
}

// writerFunc is a writer of one write.
type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestAbandoned(t *testing.T) {
	c := newFake().cluster(t, nil)
	c.docker = func(_ context.Context, _ io.Reader, args ...string) ([]byte, error) {
		line := strings.Join(args, " ")
		switch {
		case strings.HasPrefix(line, "ps -a --filter label="+clusterLabel+" "):
			return []byte("tmp-killed\ntmp-kept\ntmp-kept\ntmp-works\nlgtm-lab\n"), nil
		case line == "ps --quiet --filter label="+guardLabel+"=tmp-works-guard":
			return []byte("id\n"), nil
		case strings.HasPrefix(line, "ps --quiet"):
			return nil, nil
		case line == "cp tmp-kept-control-plane:"+keptMarker+" -":
			return nil, nil
		case strings.HasPrefix(line, "cp "):
			return nil, errors.New("Could not find the file")
		}
		t.Errorf("docker %s", line)
		return nil, errors.New("not expected")
	}
	if names, err := c.Abandoned(t.Context(), "tmp-"); err != nil || !slices.Equal(names, []string{"tmp-killed"}) {
		t.Errorf("Abandoned = %v, %v; want only the cluster without a caller and without a mark", names, err)
	}
}

func TestMade(t *testing.T) {
	f := newFake()
	c := f.cluster(t, nil)
	if m, err := c.Made(t.Context()); m != nil || err != nil {
		t.Errorf("Made of no cluster = %v, %v", m, err)
	}
	f.status[node], f.status["lab-worker"] = "exited", "exited"
	if m, err := c.Made(t.Context()); m != nil || err != nil {
		t.Errorf("Made of a cluster that was never whole = %v, %v", m, err)
	}
	f.marked = true
	m, err := c.Made(t.Context())
	if err != nil || m == nil || m.Workers != 1 || m.Ports[30080] != 8080 || m.Listen != "127.0.0.1" {
		t.Errorf("Made = %+v, %v", m, err)
	}
}

func TestOtherImage(t *testing.T) {
	const a, b = "@sha256:aa", "@sha256:bb"
	for _, test := range []struct {
		have, want string
		other      bool
	}{
		{"kindest/node:v1.34.4" + a, "kindest/node:v1.34.4" + a, false},
		{"kindest/node:v1.34.4", "kindest/node:v1.34.4" + a, false}, // out of an archive
		{"mirror/node:v1.34.4" + a, "kindest/node:v1.34.4" + a, false},
		{"kindest/node:v1.34.4" + b, "kindest/node:v1.34.4" + a, true},
		{"kindest/node:v1.33.0", "kindest/node:v1.34.4" + a, true},
		{"kindest/node:v1.33.0", "", false},
	} {
		if got := otherImage([]container{{Image: test.have}}, test.want); (got != "") != test.other {
			t.Errorf("otherImage(%s, %s) = %q", test.have, test.want, got)
		}
	}
}

// A command in a node ends when its exec is interrupted. Otherwise its exit code is passed on.
func TestEndWithInput(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs sh")
	}
	var out strings.Builder
	cmd := exec.Command("sh", "-c", endWithInput, "sh", "sh", "-c", "echo one; exit 3")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = &out
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 3 || out.String() != "one\n" {
		t.Errorf("Run = %v, %q; want exit code 3 and one", err, out.String())
	}
	_ = stdin.Close()

	cmd = exec.Command("sh", "-c", endWithInput, "sh", "sleep", "600")
	if stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdin.Close() // as when the client of an exec is killed
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is ended by a signal
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		t.Error("the command goes on without its exec")
	}
}
