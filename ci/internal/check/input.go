package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

const (
	// requestTimeout bounds one request of the input.
	requestTimeout = 10 * time.Second
	// maxInFlight bounds the requests that have no answer yet.
	maxInFlight = 64
	// retryTimeout and retryInterval are those of `retry: {}`.
	retryTimeout, retryInterval = 30 * time.Second, time.Second
)

// baseOf is the base URL of an application: that of its ready URL, or this machine's with
// the port.
func baseOf(ready string, port int) string {
	if u, err := url.Parse(ready); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return "http://127.0.0.1:" + strconv.Itoa(port)
}

// awaitPort waits until an application without a ready URL listens on the port. An
// application of which no input asks anything need not listen.
func (r *runner) awaitPort(ctx context.Context, port int) error {
	if len(r.c.Input) == 0 {
		return nil
	}
	for began := time.Now(); ; {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-r.app.process.Done():
			return &application.NotReadyError{Ended: true, Exit: r.app.process.Exit()}
		default:
		}
		if time.Since(began) > r.Timeout {
			return fmt.Errorf("the application does not listen on ${PORT}, which is %d, after %s. Give the case a ready: URL if it listens elsewhere", port, r.Timeout)
		}
		if err := wait.For(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// input sends the case's requests, once. It returns false after a failure.
func (r *runner) input(ctx context.Context) bool {
	for i, in := range r.c.Input {
		began := time.Now()
		c := report.Check{Name: fmt.Sprintf("input[%d] %s %s", i, cmp.Or(in.Method, http.MethodGet), in.Path), Status: report.Pass}
		if in.Container != nil {
			c.Name = fmt.Sprintf("input[%d] in %s: %.60s", i, in.Container.Service, strings.Join(in.Container.Command, " "))
		}
		err := r.send(ctx, in)
		if ctx.Err() != nil {
			return false
		}
		c.Measured = fmt.Sprintf("%d × %d", max(1, in.Count), in.Status)
		if in.Container != nil {
			c.Measured = "exit code 0"
		}
		c.Duration = time.Since(began)
		if err != nil {
			c.Status, c.Measured, c.Expected = report.Fail, firstLine(err.Error()), fmt.Sprintf("status %d", in.Status)
			c.Detail = r.lastOutput(ctx)
		}
		r.out.add(in.At, c)
		if err != nil {
			return false
		}
	}
	return true
}

// send sends the requests of one input: one after the other, or at the rate.
func (r *runner) send(ctx context.Context, in cases.Input) error {
	if in.Container != nil {
		return r.runInContainer(ctx, *in.Container)
	}
	target, err := r.urlOf(in)
	if err != nil {
		return err
	}
	client := &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: maxInFlight},
	}
	defer client.CloseIdleConnections()
	if in.Rate <= 0 {
		for range max(1, in.Count) {
			if err := r.sendOne(ctx, client, in, target); err != nil {
				return err
			}
		}
		return nil
	}
	return r.sendAtRate(ctx, client, in, target)
}

// sendAtRate sends requests at a constant rate, also when answers are slow. It returns the
// first error.
func (r *runner) sendAtRate(ctx context.Context, client *http.Client, in cases.Input, target string) error {
	began := time.Now()
	slots := make(chan struct{}, maxInFlight)
	var all sync.WaitGroup
	var mu sync.Mutex
	var first error
	for i := range max(1, in.Count) {
		due := began.Add(time.Duration(float64(i) / in.Rate * float64(time.Second)))
		if err := wait.For(ctx, time.Until(due)); err != nil {
			break
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := r.sendOne(ctx, client, in, target); err != nil {
				mu.Lock()
				defer mu.Unlock()
				first = cmp.Or(first, err)
			}
		})
	}
	all.Wait()
	return first
}

// urlOf is the URL that the input asks.
func (r *runner) urlOf(in cases.Input) (string, error) {
	base := &url.URL{Scheme: "http"}
	if r.base != "" {
		parsed, err := url.Parse(r.base)
		if err != nil {
			return "", err
		}
		base = parsed
	} else if in.Host == "" {
		return "", errors.New("the case does not say where the application is: start it with run:, give the input a host:, or use lab check --app URL")
	}
	scheme, host := cmp.Or(strings.ToLower(in.Scheme), base.Scheme), base.Host
	if in.Host != "" {
		host = in.Host
		if _, _, err := net.SplitHostPort(host); err != nil && base.Port() != "" {
			host = net.JoinHostPort(host, base.Port())
		}
	}
	path := in.Path
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return scheme + "://" + host + path, nil
}

// sendOne sends a request, and again where the case says so, and remembers its trace id.
func (r *runner) sendOne(ctx context.Context, client *http.Client, in cases.Input, target string) error {
	var until time.Time
	pause := retryInterval
	if in.Retry != nil {
		until = time.Now().Add(cmp.Or(in.Retry.Timeout, retryTimeout))
		pause = cmp.Or(in.Retry.Interval, retryInterval)
	}
	for {
		id := traceparent.NewTraceID()
		err := ask(ctx, client, in, target, id)
		if err == nil {
			r.remember(id)
			return nil
		}
		if ctx.Err() != nil || time.Now().Add(pause).After(until) {
			return err
		}
		if err := wait.For(ctx, pause); err != nil {
			return err
		}
	}
}

func (r *runner) remember(id string) {
	r.remembering.Lock()
	defer r.remembering.Unlock()
	r.scope.TraceIDs = append(r.scope.TraceIDs, id)
}

// ask sends one request with a trace id, and checks the answer's status.
func ask(ctx context.Context, client *http.Client, in cases.Input, target, id string) error {
	req, err := http.NewRequestWithContext(ctx, cmp.Or(in.Method, http.MethodGet), target, strings.NewReader(in.Body))
	if err != nil {
		return err
	}
	for key, value := range in.Headers {
		req.Header.Set(key, value)
		if strings.EqualFold(key, "Host") {
			req.Host = value
		}
	}
	if req.Header.Get("Traceparent") == "" {
		req.Header.Set("Traceparent", traceparent.Header(id, traceparent.ClientSpanID(id)))
	}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			return fmt.Errorf("%s gave no answer within %s", target, requestTimeout)
		}
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return fmt.Errorf("%s gave no answer: %w", target, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // read to the end, so that the connection is used again
	if want := cmp.Or(in.Status, http.StatusOK); resp.StatusCode != want {
		return fmt.Errorf("%s answered %s: %.200s", target, resp.Status, strings.Join(strings.Fields(string(body)), " "))
	}
	return nil
}
