package verify

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// TestNotReady lets one part after another not be ready: there is no report then.
func TestNotReady(t *testing.T) {
	stack := []string{target.Alloy, target.Loki, target.Tempo, target.Mimir}
	for _, c := range []struct {
		how, says string
		parts     []string
		answer    http.HandlerFunc
	}{
		{"answers 503", "answered 503 Service Unavailable", stack, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{"hangs", "no answer within", stack[:1], func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	} {
		for _, part := range c.parts {
			t.Run(part+" "+c.how, func(t *testing.T) {
				f := startFake(t)
				f.answers = func(asked string, w http.ResponseWriter, r *http.Request) bool {
					if asked != part {
						return false
					}
					c.answer(w, r)
					return true
				}
				v := f.verifier()
				if c.how == "hangs" {
					v.timing.ready = time.Second // all the others have that much time too
				}
				r, err := v.run(t.Context())
				if err == nil || len(r.Checks) > 0 {
					t.Fatalf("%d checks and the error %v, want none and an error", len(r.Checks), err)
				}
				for _, want := range []string{part + " is not ready", c.says} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error %q does not say %q", err, want)
					}
				}
				if strings.Count(err.Error(), "is not ready") != 1 {
					t.Errorf("the error %q names other parts too", err)
				}
			})
		}
	}
	for _, part := range []string{target.Frontend, target.Backend} {
		t.Run(part+" is away", func(t *testing.T) {
			v := startFake(t).verifier()
			// Nothing listens on the port of discard.
			v.Addresses.Frontend = strings.Replace(v.Addresses.Frontend, v.Addresses.URL(part), "http://127.0.0.1:9", 1)
			v.Addresses.Backend = strings.Replace(v.Addresses.Backend, v.Addresses.URL(part), "http://127.0.0.1:9", 1)
			if _, err := v.run(t.Context()); err == nil || !strings.Contains(err.Error(), part+" is not ready") {
				t.Errorf("the error is %v, want it to name the %s", err, part)
			}
		})
	}
}

// TestStop cancels verify in each of its stages.
func TestStop(t *testing.T) {
	stop := errors.New("interrupted")
	stages := map[string]bool{}
	v := startFake(t).verifier()
	v.Progress = func(line string) { stages[line] = true }
	if _, err := v.run(t.Context()); err != nil || len(stages) < 5 {
		t.Fatalf("the stages are %v, error %v", stages, err)
	}
	for stage := range stages {
		t.Run(stage, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			v := startFake(t).verifier()
			v.timing = quick(time.Minute) // nothing may wait for its time to be up
			v.Progress = func(line string) {
				if line == stage {
					cancel(stop)
				}
			}
			begin := time.Now()
			_, err := v.run(ctx)
			if !errors.Is(err, stop) {
				t.Errorf("the error is %v, want %v", err, stop)
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it went on for %v", took)
			}
		})
	}
	t.Run("before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stop)
		if _, err := startFake(t).verifier().run(ctx); !errors.Is(err, stop) {
			t.Errorf("the error is %v, want %v", err, stop)
		}
	})
}

// TestCountersBeginAnew starts Tempo's generator again, just before the request
// that is followed: its counters fall to 0 and count from there.
func TestCountersBeginAnew(t *testing.T) {
	f := startFake(t)
	generated := []labels{
		{"__name__": "traces_spanmetrics_calls_total", "service": "frontend", "span_kind": "SPAN_KIND_SERVER", "http_route": "/api/users/{id}"},
		{"__name__": "traces_spanmetrics_calls_total", "service": "backend", "span_kind": "SPAN_KIND_SERVER", "http_route": "/users"},
		{"__name__": "traces_service_graph_request_total", "client": "frontend", "server": "backend"},
	}
	set := func(value float64, ago time.Duration) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, l := range generated {
			f.set(l, value, ago)
		}
	}
	set(5000, time.Minute)
	f.seen = func(x exchange) {
		if x.from == "probe" {
			set(0, 0)
		}
	}
	r, err := f.verifier().run(t.Context())
	if err != nil || !r.OK() {
		t.Errorf("error %v, failures:\n%s", err, details(r))
	}
}

func TestPoll(t *testing.T) {
	const within = 50 * time.Millisecond
	v := &verifier{timing: timing{every: time.Millisecond}}
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		try  func(context.Context) error
		want string
	}{
		{"always wrong", func(context.Context) error { return broken }, "after 50ms: broken"},
		{"right too late", func(ctx context.Context) error { <-ctx.Done(); return nil }, "no answer within 50ms"},
		{"hangs", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "no answer within 50ms"},
		{"wrong, then hangs", func() func(context.Context) error {
			n := 0
			return func(ctx context.Context) error {
				if n++; n == 1 {
					return broken
				}
				<-ctx.Done()
				return ctx.Err()
			}
		}(), "after 50ms: broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := v.poll(t.Context(), within, c.try); err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	t.Run("right at last", func(t *testing.T) {
		n := 0
		err := v.poll(t.Context(), time.Minute, func(context.Context) error {
			if n++; n < 4 {
				return broken
			}
			return nil
		})
		if err != nil || n != 4 {
			t.Errorf("error %v after %d looks, want none after 4", err, n)
		}
	})
}

// TestUsualTiming holds the relations between the times that the checks rely on.
func TestUsualTiming(t *testing.T) {
	u := usual()
	for _, name := range signals {
		if u.fresh[name] <= 0 {
			t.Errorf("the signal %q has no limit", name)
		}
	}
	if u.settled < u.alive+u.export {
		t.Errorf("settled is %v: nothing newer comes of an instance that has just ended, and it looks alive for %v", u.settled, u.alive)
	}
	if u.alive < 2*u.export || u.alive >= 5*time.Minute {
		t.Errorf("alive is %v: a sample of two intervals must be in it, and Mimir's own 5 minutes out of it", u.alive)
	}
	if u.metrics < 2*u.export {
		t.Errorf("metrics is %v, less than two exports of %v", u.metrics, u.export)
	}
}

// TestRiseLooksBackAsFar compares with a reading of some minutes ago, when an
// instance that has ended since was in the sum: it must not leave it.
func TestRiseLooksBackAsFar(t *testing.T) {
	f := startFake(t)
	ended, going := labels{"__name__": "a_total", "instance": "old"}, labels{"__name__": "a_total", "instance": "new"}
	f.mu.Lock()
	f.set(ended, 70, 10*time.Minute+time.Second)
	f.series[key(ended)].ended = true
	f.set(going, 1, 12*time.Minute)
	f.set(going, 4, time.Minute)
	f.mu.Unlock()
	v := f.verifier()
	if _, err := v.run(t.Context()); err != nil { // makes its clients
		t.Fatal(err)
	}
	before := v.read(t.Context(), `a_total{instance=~".+"}`, time.Now().Add(-10*time.Minute))
	if before.value != 71 || before.err != nil {
		t.Fatalf("it was %v, %v, want 71", before.value, before.err)
	}
	if by, err := v.rise(t.Context(), before); by != 3 || err != nil {
		t.Errorf("it rose by %v, %v, want 3", by, err)
	}
}

// TestRiseOfWhatWasStartedAgain: an instance that was started again under the name
// it had, as a pod's container is, goes on with its series, from 0.
func TestRiseOfWhatWasStartedAgain(t *testing.T) {
	f := startFake(t)
	again := labels{"__name__": "a_total", "instance": "same"}
	f.mu.Lock()
	f.set(again, 96, 12*time.Minute)
	f.series[key(again)].points[0].last = true
	f.set(again, 202, time.Minute)
	f.mu.Unlock()
	v := f.verifier()
	if _, err := v.run(t.Context()); err != nil { // makes its clients
		t.Fatal(err)
	}
	before := v.read(t.Context(), `a_total{instance=~".+"}`, time.Now().Add(-10*time.Minute))
	if by, err := v.rise(t.Context(), before); by != 202 || err != nil {
		t.Errorf("it rose by %v, %v, want 202", by, err)
	}
}
