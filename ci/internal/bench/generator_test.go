package bench

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const wrkOutput = `Running 15s test @ http://127.0.0.1:40563/api/users/1
  2 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     9.36ms   11.55ms 157.12ms   89.20%
    Req/Sec     1.21k   602.85     3.13k    63.85%
  Latency Distribution
     50%    5.03ms
     75%   11.63ms
     90%   21.89ms
     99%   56.58ms
  36041 requests in 15.09s, 23.99MB read
Requests/sec:   2387.84
Transfer/sec:      1.59MB
`

func TestParseWrk(t *testing.T) {
	got, err := parseWrk(wrkOutput)
	want := loadResult{requests: 36041, rate: 2387.84, p50: 5030 * time.Microsecond, p99: 56580 * time.Microsecond}
	if err != nil || got != want {
		t.Errorf("parseWrk() = %+v, %v; want %+v", got, err, want)
	}
	bad := strings.Replace(wrkOutput, "Requests/sec", "  Socket errors: connect 1, read 2, write 0, timeout 4\n  Non-2xx or 3xx responses: 30\nRequests/sec", 1)
	if got, err := parseWrk(bad); err != nil || got.failed != 37 || got.check() == nil {
		t.Errorf("with errors: %+v, %v", got, err)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("output without figures is no error")
	}
}

// A failed answer counts as failed, with a loop and with a constant rate.
func TestGeneratorsCountFailures(t *testing.T) {
	answer := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(answer) }))
	defer server.Close()
	next := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: server.URL})
	for _, answer = range []int{http.StatusOK, http.StatusServiceUnavailable} {
		loop, err1 := closedLoop(t.Context(), next, 50*time.Millisecond)
		steady, err2 := constantRate(t.Context(), next, 100, 50*time.Millisecond)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for name, r := range map[string]loadResult{"loop": loop, "constant rate": steady} {
			if bad := r.check() != nil; r.requests == 0 || bad != (answer != http.StatusOK) {
				t.Errorf("%s with answers %d: %+v, %v", name, answer, r, r.check())
			}
		}
	}
}

func TestGeneratorStopsWithItsContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := closedLoop(ctx, vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: server.URL}), time.Minute)
	if err == nil || time.Since(begin) > 30*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
}
