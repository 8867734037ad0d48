package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	target := listen(t)
	go func() {
		for {
			conn, err := target.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				// The answer needs the end of the question: half-closing must pass.
				question, _ := io.ReadAll(conn)
				fmt.Fprintf(conn, "you said %s", question)
			}()
		}
	}()
	front := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, front, target.Addr().String(), func(line string) { t.Log(line) }) }()
	for range 3 {
		conn := dial(t, front)
		fmt.Fprint(conn, "hello")
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); string(answer) != "you said hello" || err != nil {
			t.Errorf("answer %q, %v", answer, err)
		}
	}
	idle := dial(t, front)
	_ = idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	stop()
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if _, err := bufio.NewReader(idle).ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("an idle connection has outlived Serve")
	}
}

func TestServeToNobody(t *testing.T) {
	gone := listen(t)
	gone.Close()
	front := listen(t)
	told := make(chan string, 1)
	go func() { _ = Serve(t.Context(), front, gone.Addr().String(), func(line string) { told <- line }) }()
	if _, err := io.ReadAll(dial(t, front)); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	if line := <-told; !strings.Contains(line, "refused") {
		t.Errorf("told %q", line)
	}
}

func listen(t *testing.T) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func dial(t *testing.T, ln net.Listener) *net.TCPConn {
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}
