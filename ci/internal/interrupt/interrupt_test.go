//go:build unix

package interrupt

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The signals go to a process of its own: this test's program, run again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "program" {
		program()
		return
	}
	// Under nohup the programs that this test runs would ignore SIGHUP, too. A signal that
	// is waited for here has its default effect there.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(m.Run())
}

// program says what reaches it.
func program() {
	ctx, stop := Notify(context.Background())
	defer stop()
	fmt.Println("runs")
	<-ctx.Done()
	fmt.Println("ends")
	cleanup, cancel := Cleanup(ctx, time.Minute)
	defer cancel()
	if cleanup.Err() != nil {
		fmt.Println("hurries at once")
	}
	<-cleanup.Done()
	fmt.Println("hurries")
	if len(os.Args) > 2 {
		fmt.Println("writes on") // to nobody
		fmt.Fprintln(os.Stderr, "outlives its reader")
		return
	}
	time.Sleep(time.Minute)
}

// run starts the program; next reads a line that it prints.
func run(t *testing.T, name string, args ...string) (cmd *exec.Cmd, next func() string, stdout io.Closer) {
	t.Helper()
	cmd = exec.Command(name, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	return cmd, func() string {
		lines.Scan()
		return lines.Text()
	}, out
}

func TestSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			cmd, next, _ := run(t, os.Args[0], "program")
			if line := next(); line != "runs" {
				t.Fatalf("the program says %q", line)
			}
			for _, want := range []string{"ends", "hurries"} {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				if line := next(); line != want {
					t.Errorf("after a signal the program says %q, want %q", line, want)
				}
			}
			// The program gives the signals back a moment after the second.
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for {
				_ = cmd.Process.Signal(s)
				select {
				case err := <-ended:
					if state := cmd.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != s {
						t.Errorf("the third signal: the program ended with %v", err)
					}
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
}

func TestNohup(t *testing.T) {
	cmd, next, _ := run(t, "sh", "-c", `trap "" HUP; exec "$0" program`, os.Args[0])
	next()
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line := next(); line != "ends" {
		t.Fatalf("the program says %q", line)
	}
	// Were SIGHUP the first signal, SIGTERM would have been the second.
	lines := make(chan string, 1)
	go func() { lines <- next() }()
	select {
	case line := <-lines:
		t.Errorf("SIGHUP counts, though it was ignored when the program began: %q", line)
	case <-time.After(300 * time.Millisecond):
	}
}

// `lab up 2>&1 | tee log`: the Ctrl-C that stops the lab ends tee, too.
func TestOutlivesItsReader(t *testing.T) {
	cmd := exec.Command(os.Args[0], "program", "writes")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = write, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	if line, err := bufio.NewReader(read).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	_ = read.Close()
	for range 2 {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(stderr.String(), "outlives") {
		t.Errorf("the program ended with %v and said %q", err, stderr.String())
	}
}

func TestCleanup(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	ctx, cancel := Cleanup(ended, time.Hour)
	defer cancel()
	if ctx.Err() != nil {
		t.Error("the cleanup ends with what it cleans up after")
	}
	ctx, cancel = Cleanup(ended, 0)
	defer cancel()
	if <-ctx.Done(); ctx.Err() != context.DeadlineExceeded {
		t.Errorf("the cleanup of no time ends with %v", ctx.Err())
	}
}
