package application

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// Ports for applications come from this range. It is below the systems' own ranges for
// outgoing connections, one of which could take a port before the application does.
const firstPort, lastPort = 20_000, 32_000

// given are the ports that FreePort has returned.
var given sync.Map

// FreePort returns a TCP port on which no program listens now at 127.0.0.1. It returns each
// port once, so that applications that start side by side get different ones. Another
// program may take the port at any time, so start the application soon.
func FreePort() (int, error) {
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no port from %d to %d is free", firstPort, lastPort)
}

// WithPort puts the port in the place of each ${PORT} and $PORT.
func WithPort(text string, port int) string {
	number := strconv.Itoa(port)
	return strings.NewReplacer("${PORT}", number, "$PORT", number).Replace(text)
}

// NotReadyError says why an application did not become ready.
type NotReadyError struct {
	// URL is what was asked.
	URL string
	// Ended says that the application has ended; Exit then says how.
	Ended bool
	Exit  Exit
	// Last is the last answer, in words.
	Last string
	// Waited is how long the application had.
	Waited time.Duration
}

func (e *NotReadyError) Error() string {
	if e.Ended {
		return fmt.Sprintf("the application ended before it was ready (%s)", e.Exit)
	}
	return fmt.Sprintf("the application was not ready after %s: %s, %s", e.Waited.Round(100*time.Millisecond), e.URL, e.Last)
}

// Answers tells whether a program answers at the URL already. An application that is then
// started and cannot get the port would seem to be ready.
func Answers(ctx context.Context, url string) bool {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}

// askEvery is the pause between two requests to an application that is not ready.
const askEvery = 100 * time.Millisecond

// AwaitReady asks the URL until the answer is below 400. It fails with a *[NotReadyError]
// when the application ends, or when that takes longer than within; with ctx's cause when
// ctx ends.
func (p *Process) AwaitReady(ctx context.Context, url string, within time.Duration) error {
	begin := time.Now()
	client := &http.Client{
		Timeout:       2 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	for {
		select {
		case <-p.done:
			return &NotReadyError{URL: url, Ended: true, Exit: p.exit, Waited: time.Since(begin)}
		default:
		}
		ready, last, err := ask(ctx, client, url)
		if err != nil {
			return err
		}
		if ready {
			return nil
		}
		if time.Since(begin) > within {
			return &NotReadyError{URL: url, Last: last, Waited: time.Since(begin)}
		}
		if err := wait.For(ctx, askEvery); err != nil {
			return err
		}
	}
}

// ask asks once. The error is about the URL itself, or about ctx.
func ask(ctx context.Context, client *http.Client, url string) (ready bool, said string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, "", fmt.Errorf("ready: %w", err)
	}
	resp, err := client.Do(req)
	if ctx.Err() != nil {
		return false, "", context.Cause(ctx)
	}
	if err != nil {
		return false, plainReason(err), nil
	}
	_ = resp.Body.Close()
	return resp.StatusCode < http.StatusBadRequest, "it answered " + resp.Status, nil
}

// plainReason says why there was no answer, without the address, which is said already.
func plainReason(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "connection refused"), strings.Contains(text, "actively refused"):
		return "no program listens there"
	case strings.Contains(text, "Client.Timeout"), strings.Contains(text, "deadline exceeded"):
		return "the program that listens there gives no answer"
	}
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return "the last request failed: " + text
}
