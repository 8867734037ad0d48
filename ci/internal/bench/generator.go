package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// loadResult is what a generator saw.
type loadResult struct {
	requests int
	failed   int // answers other than 2xx, and none at all
	rate     float64
	p50, p99 time.Duration
}

// check fails when requests failed: what they cost says nothing.
func (r loadResult) check() error {
	if r.requests == 0 {
		return errors.New("no request was answered")
	}
	if r.failed > 0 {
		return fmt.Errorf("%d of %d requests failed", r.failed, r.requests)
	}
	return nil
}

// connections is how many requests are on their way at once: what the goal is worded for.
const connections = 16

// full sends as many requests as are answered, over 16 connections: with wrk where it is
// installed, which costs the machine least, else from this program.
func full(ctx context.Context, url string, d time.Duration) (loadResult, error) {
	if path, err := exec.LookPath("wrk"); err == nil {
		return wrk(ctx, path, url, d)
	}
	get := func() vegeta.Targeter {
		return vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: url})
	}
	return closedLoop(ctx, get(), d)
}

// generatorName names the generator that full uses.
func generatorName() string {
	if _, err := exec.LookPath("wrk"); err == nil {
		return "wrk"
	}
	return "vegeta, in the bench's own process (install wrk for a generator that costs less: apt-get install wrk)"
}

// closedLoop sends a request on each of the 16 connections as soon as the one before is
// answered.
func closedLoop(ctx context.Context, next vegeta.Targeter, d time.Duration) (loadResult, error) {
	return attack(ctx, next, vegeta.Rate{}, d, vegeta.Workers(connections), vegeta.MaxWorkers(connections))
}

// constantRate sends so many requests a second, whatever the answers do.
func constantRate(ctx context.Context, next vegeta.Targeter, perSecond int, d time.Duration) (loadResult, error) {
	return attack(ctx, next, vegeta.Rate{Freq: perSecond, Per: time.Second}, d, vegeta.Workers(connections))
}

func attack(ctx context.Context, next vegeta.Targeter, rate vegeta.Rate, d time.Duration, o ...func(*vegeta.Attacker)) (loadResult, error) {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 1000, DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	attacker := vegeta.NewAttacker(append(o, vegeta.Client(client), vegeta.MaxBody(0))...)
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	var metrics vegeta.Metrics
	r := loadResult{}
	for res := range attacker.Attack(next, rate, d, "") {
		metrics.Add(res)
		if res.Code < 200 || res.Code > 299 {
			r.failed++
		}
	}
	metrics.Close()
	r.requests, r.rate = int(metrics.Requests), metrics.Rate
	r.p50, r.p99 = metrics.Latencies.P50, metrics.Latencies.P99
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	return r, nil
}

// wrk runs wrk with two threads.
func wrk(ctx context.Context, path, url string, d time.Duration) (loadResult, error) {
	cmd := exec.CommandContext(ctx, path, "-t2", "-c"+strconv.Itoa(connections), fmt.Sprintf("-d%ds", max(1, int(d.Seconds()))), "--latency", url)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return loadResult{}, context.Cause(ctx)
	}
	if err != nil {
		return loadResult{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return parseWrk(string(out))
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s*([\d.]+)`)
	wrkLatency  = regexp.MustCompile(`(?m)^\s*(50|99)%\s*([\d.]+(?:us|ms|s|m))\s*$`)
	wrkStatus   = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: (\d+)`)
	wrkSockets  = regexp.MustCompile(`(?m)^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
)

// parseWrk reads what wrk prints.
func parseWrk(out string) (loadResult, error) {
	var r loadResult
	n := wrkRequests.FindStringSubmatch(out)
	rate := wrkRate.FindStringSubmatch(out)
	if n == nil || rate == nil {
		return r, fmt.Errorf("wrk's output cannot be read:\n%s", out)
	}
	r.requests, _ = strconv.Atoi(n[1])
	r.rate, _ = strconv.ParseFloat(rate[1], 64)
	for _, line := range wrkLatency.FindAllStringSubmatch(out, -1) {
		took, err := time.ParseDuration(line[2])
		if err != nil {
			return r, fmt.Errorf("wrk's latency %q: %w", strings.TrimSpace(line[0]), err)
		}
		if line[1] == "50" {
			r.p50 = took
		} else {
			r.p99 = took
		}
	}
	if bad := wrkStatus.FindStringSubmatch(out); bad != nil {
		r.failed, _ = strconv.Atoi(bad[1])
	}
	if bad := wrkSockets.FindStringSubmatch(out); bad != nil {
		for _, count := range bad[1:] {
			n, _ := strconv.Atoi(count)
			r.failed += n
		}
	}
	return r, nil
}
