//go:build unix

package application

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
)

// shell starts a script whose output is in the file that it returns.
func shell(t *testing.T, script string) (*Process, string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p, err := Start(Command{Args: []string{"sh", "-c", script}, Stdout: out, Stderr: out})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(context.Background(), 0) })
	return p, out.Name()
}

// printed waits until the file has the text.
func printed(t *testing.T, file, text string) string {
	t.Helper()
	for range 500 {
		if raw, err := os.ReadFile(file); err == nil && strings.Contains(string(raw), text) {
			return string(raw)
		}
		time.Sleep(10 * time.Millisecond)
	}
	raw, _ := os.ReadFile(file)
	t.Fatalf("the application printed %q, and no %q", raw, text)
	return ""
}

func TestExit(t *testing.T) {
	for script, want := range map[string]Exit{
		"exit 0":         {},
		"exit 3":         {Code: 3},
		"kill -9 $$":     {Code: 137, Signal: "killed"},
		"kill -TERM $$":  {Code: 143, Signal: "terminated"},
		"no-such-thing!": {Code: 127},
	} {
		p, _ := shell(t, script)
		if got := p.Exit(); got != want {
			t.Errorf("%s: %+v, want %+v", script, got, want)
		}
	}
}

func TestWhatCannotBeStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]struct {
		code int
		text string
	}{
		"no-such-program-anywhere": {127, "there is no such program"},
		"/no/such/file":            {127, "there is no such program"},
		file:                       {126, "permission denied"},
	} {
		_, err := Start(Command{Args: []string{program}})
		failed, ok := errors.AsType[*StartError](err)
		if !ok || failed.Code != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v, want exit code %d and %q", program, err, want.code, want.text)
		}
	}
}

// A signal that asks to end reaches the processes that the application has started; another
// reaches the first one alone.
func TestSignals(t *testing.T) {
	p, out := shell(t, `
		(trap 'echo child TERM; exit 0' TERM; trap 'echo child USR1' USR1; echo child up; while :; do sleep 0.05; done) &
		trap 'echo parent TERM; wait; exit 7' TERM; trap 'echo parent USR1' USR1; echo parent up; while :; do sleep 0.05; done`)
	printed(t, out, "child up")
	printed(t, out, "parent up")
	p.Signal(syscall.SIGUSR1)
	printed(t, out, "parent USR1")
	p.Signal(syscall.SIGTERM)
	if got := p.Exit(); got.Code != 7 {
		t.Errorf("exit %+v, want the code 7 of the application's own handler", got)
	}
	text := printed(t, out, "child TERM")
	if strings.Contains(text, "child USR1") {
		t.Errorf("SIGUSR1 reached a process other than the first: %q", text)
	}
}

// An application that does not end when it is asked to is killed, with all that it has started.
func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	p, out := shell(t, `trap '' TERM; (trap '' TERM; echo up; while :; do sleep 0.05; done) & while :; do sleep 0.05; done`)
	printed(t, out, "up")
	exit := p.Stop(t.Context(), 100*time.Millisecond)
	if !exit.Killed || exit.Code != 137 {
		t.Errorf("%+v, want a kill", exit)
	}
	gone(t, p)
}

// What an application leaves behind ends with it.
func TestStopEndsWhatIsLeft(t *testing.T) {
	p, out := shell(t, `(echo up; while :; do sleep 0.05; done) & exit 4`)
	printed(t, out, "up")
	if code := p.Exit().Code; code != 4 {
		t.Errorf("exit code %d, want 4", code)
	}
	if exit := p.Stop(t.Context(), time.Second); exit.Killed || exit.Code != 4 {
		t.Errorf("%+v, want the exit code 4 of an application that ended by itself", exit)
	}
	gone(t, p)
}

// gone checks that no process of the application is there.
func gone(t *testing.T, p *Process) {
	t.Helper()
	for range 100 {
		if !p.group.left() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("a process of the application is still there")
}

// A broken pipe ends an application as it does in a shell, though this program outlives one.
func TestApplicationsHaveTheSystemsSIGPIPE(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc; run this test on Linux")
	}
	_, stop := interrupt.Notify(t.Context())
	defer stop()
	_, out := shell(t, "grep SigIgn /proc/self/status")
	text := printed(t, out, "SigIgn")
	mask, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(text, "SigIgn:")), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if mask&(1<<(uint(syscall.SIGPIPE)-1)) != 0 {
		t.Error("the application ignores SIGPIPE: `yes | head` would go on for ever in it")
	}
}

func TestAwaitReady(t *testing.T) {
	answers := make(chan int, 3)
	answers <- 503
	answers <- 503
	answers <- 302
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-answers) }))
	defer s.Close()
	p, _ := shell(t, "sleep 60")
	if err := p.AwaitReady(t.Context(), s.URL, time.Minute); err != nil {
		t.Error(err)
	}
	if len(answers) > 0 {
		t.Error("503 was taken for ready")
	}
}

func TestNotReady(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer broken.Close()
	free, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ script, url, want string }{
		"dies":          {"exit 3", "http://127.0.0.1:" + strconv.Itoa(free), "the application ended before it was ready (exit code 3)"},
		"never listens": {"sleep 60", fmt.Sprintf("http://127.0.0.1:%d/", free), "no program listens there"},
		"always 500":    {"sleep 60", broken.URL, "it answered 500"},
		"hangs":         {"sleep 60", "http://" + silent.Addr().String(), "the program that listens there gives no answer"},
	} {
		p, _ := shell(t, c.script)
		if name == "dies" {
			<-p.Done()
		}
		err := p.AwaitReady(t.Context(), c.url, 200*time.Millisecond)
		if _, ok := errors.AsType[*NotReadyError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if !Answers(t.Context(), broken.URL) || Answers(t.Context(), fmt.Sprintf("http://127.0.0.1:%d/", free)) {
		t.Error("Answers takes a port that is taken for a free one, or the other way round")
	}
}

// Applications that start side by side get different ports.
func TestFreePorts(t *testing.T) {
	ports := make(chan int, 200)
	var all sync.WaitGroup
	for range cap(ports) {
		all.Go(func() {
			port, err := FreePort()
			if err != nil {
				t.Error(err)
			}
			ports <- port
		})
	}
	all.Wait()
	close(ports)
	seen := map[int]bool{}
	for port := range ports {
		if seen[port] {
			t.Errorf("the port %d was given twice", port)
		}
		seen[port] = true
	}
}

func TestWithPort(t *testing.T) {
	if got := WithPort("http://127.0.0.1:${PORT}/$PORT/${PORTS}", 80); got != "http://127.0.0.1:80/80/${PORTS}" {
		t.Error(got)
	}
}
