package chaos

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

const (
	// floodTimeout bounds one request of a flood. The frontend's handler ends after 10 s.
	floodTimeout = 20 * time.Second
	// floodWorkers bounds the requests of a flood that are under way at once.
	floodWorkers = 5000
)

// A Flood is what became of requests that came faster than the lab can take them.
type Flood struct {
	Rate float64 `json:"rate_per_second"`
	Sent int     `json:"sent"`
	// Accepted were answered as usual, Rejected with 503 and Retry-After, Failed otherwise,
	// and Unanswered not at all.
	Accepted   int `json:"accepted"`
	Rejected   int `json:"rejected"`
	Failed     int `json:"failed"`
	Unanswered int `json:"unanswered"`
	// Problems counts the answers that are neither, by what they were.
	Problems map[string]int `json:"problems"`
	// AcceptedP99 and RejectedP99 are how long 99 % of these took at most.
	AcceptedP99 float64 `json:"accepted_p99_seconds"`
	RejectedP99 float64 `json:"rejected_p99_seconds"`
	Duration    float64 `json:"duration_seconds"`
}

// AcceptedRate is how many requests per second were answered as usual.
func (f Flood) AcceptedRate() float64 { return float64(f.Accepted) / max(f.Duration, 1e-9) }

func (f Flood) String() string {
	return fmt.Sprintf("%d requests at %.0f/s: %d answered as usual (%.0f/s, p99 %.0f ms), %d rejected (p99 %.0f ms), %d failed, %d without an answer",
		f.Sent, f.Rate, f.Accepted, f.AcceptedRate(), f.AcceptedP99*1000, f.Rejected, f.RejectedP99*1000, f.Failed, f.Unanswered)
}

// capacity measures how many requests per second the frontend answers as usual when each of
// the clients sends its next request as soon as it has the answer.
func capacity(ctx context.Context, frontend string, clients int, d time.Duration) Flood {
	return flood(ctx, frontend, vegeta.Rate{}, clients, d)
}

// overload sends requests at the rate, whatever becomes of them.
func overload(ctx context.Context, frontend string, rate float64, d time.Duration) Flood {
	return flood(ctx, frontend, vegeta.Rate{Freq: int(rate), Per: time.Second}, floodWorkers, d)
}

func flood(ctx context.Context, frontend string, rate vegeta.Rate, workers int, d time.Duration) Flood {
	client := &http.Client{
		Timeout:   floodTimeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: workers, IdleConnTimeout: 30 * time.Second, DisableCompression: true},
	}
	defer client.CloseIdleConnections()
	attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.MaxBody(4<<10),
		vegeta.Workers(uint64(min(workers, 100))), vegeta.MaxWorkers(uint64(workers)))
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	f := Flood{Rate: float64(rate.Freq), Problems: map[string]int{}}
	var accepted, rejected []time.Duration
	begin := time.Now()
	for res := range attacker.Attack(floodTarget(frontend), rate, d, "") {
		f.Sent++
		f.take(res)
		switch res.Code {
		case http.StatusOK:
			accepted = append(accepted, res.Latency)
		case http.StatusServiceUnavailable:
			rejected = append(rejected, res.Latency)
		}
	}
	f.Duration = time.Since(begin).Seconds()
	f.AcceptedP99, f.RejectedP99 = p99(accepted), p99(rejected)
	return f
}

// take counts one answer.
func (f *Flood) take(res *vegeta.Result) {
	switch {
	case res.Code == 0:
		f.Unanswered++
		_, last, _ := strings.Cut(res.Error, ": ")
		f.Problems[last]++
	case res.Code == http.StatusOK:
		f.Accepted++
	case res.Code == http.StatusServiceUnavailable && res.Headers.Get("Retry-After") != "":
		f.Rejected++
	default:
		f.Failed++
		f.Problems[fmt.Sprintf("%d %.120s", res.Code, res.Body)]++
	}
}

// floodTarget makes requests that read, each with a trace of its own.
func floodTarget(frontend string) vegeta.Targeter {
	var half [8]byte
	_, _ = rand.Read(half[:]) // never fails
	half[0] |= 0x80
	prefix := hex.EncodeToString(half[:])
	var n atomic.Uint64
	return func(t *vegeta.Target) error {
		id := fmt.Sprintf("%s%016x", prefix, n.Add(1))
		t.Method, t.URL = http.MethodGet, frontend+"/api/users?limit=20"
		t.Header = http.Header{"Traceparent": {traceparent.Header(id, traceparent.ClientSpanID(id))}, "User-Agent": {"lgtm-lab-chaos"}}
		return nil
	}
}

// p99 is in seconds; 0 of nothing.
func p99(samples []time.Duration) float64 {
	if len(samples) == 0 {
		return 0
	}
	slices.Sort(samples)
	return samples[(len(samples)*99+99)/100-1].Seconds()
}
