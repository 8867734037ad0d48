package traffic

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"
)

// model is a server whose requests take effect, and are answered, in any order.
type model struct {
	users map[int64]bool
	last  int64
}

func (m *model) answer(r planned) (status int, body []byte) {
	switch r.kind {
	case Create:
		m.last++
		m.users[m.last] = true
		body, _ = json.Marshal(map[string]int64{"id": m.last})
		return http.StatusCreated, body
	case Get, Missing:
		if !m.users[r.id] {
			return http.StatusNotFound, nil
		}
		return http.StatusOK, nil
	case Delete:
		if !m.users[r.id] {
			return http.StatusNotFound, nil
		}
		delete(m.users, r.id)
		return http.StatusNoContent, nil
	case Failing:
		return http.StatusInternalServerError, nil
	}
	return http.StatusOK, nil
}

// TestPlannerKnowsEveryStatus lets up to so many requests be under way and takes
// them in a random order: whatever the order, every status is the one expected,
// the number of requests is exact, and nothing is left at the end.
func TestPlannerKnowsEveryStatus(t *testing.T) {
	for _, tt := range []struct{ requests, underway int }{
		{1, 1}, {2, 1}, {3, 2}, {10, 1}, {50, 3}, {200, 10}, {2000, 60}, {10_000, 100},
	} {
		for seed := range uint64(5) {
			t.Run(fmt.Sprintf("%d requests, %d under way, seed %d", tt.requests, tt.underway, seed), func(t *testing.T) {
				p := newPlanner(Profile{Rate: 400, Requests: tt.requests, Slow: 0.02, Error: 0.02, Seed: seed})
				simulate(t, p, tt.underway, rand.New(rand.NewPCG(seed, 9)))
				sent, underway := p.progress()
				if sent != tt.requests || underway != 0 {
					t.Errorf("%d sent, %d under way, want %d, 0", sent, underway, tt.requests)
				}
				// The margin at the end is half a second or a tenth of the run; what
				// answers that take longer leave is left to the cleaning up.
				if ids, unknown := p.leftovers(); 2*tt.underway <= p.margin && (len(ids) > 0 || unknown) {
					t.Errorf("users left: %v, unknown %v", ids, unknown)
				}
			})
		}
	}
}

func simulate(t *testing.T, p *planner, most int, rng *rand.Rand) {
	t.Helper()
	server := &model{users: make(map[int64]bool)}
	var queue []planned
	more := true
	for more || len(queue) > 0 {
		if more && len(queue) < most && (len(queue) == 0 || rng.IntN(2) == 0) {
			var r planned
			if r, more = p.next(); more {
				queue = append(queue, r)
			}
			continue
		}
		i := rng.IntN(len(queue))
		if sent, _ := p.progress(); sent-queue[0].n >= most {
			i = 0 // no answer takes longer than the sending of most requests
		}
		r := queue[i]
		queue = slices.Delete(queue, i, i+1)
		status, body := server.answer(r)
		if status != want(r.kind) {
			t.Fatalf("request %d, %s of %d, answered %d, want %d", r.n, r.kind, r.id, status, want(r.kind))
		}
		if _, wrong := p.settle(r.n, status, body); wrong != "" {
			t.Fatalf("request %d: %s", r.n, wrong)
		}
	}
}

func TestPlannerLosesNothing(t *testing.T) {
	p := newPlanner(Profile{Rate: 100, Requests: 1000, Seed: 1})
	next := func(kind Kind) planned {
		for {
			r, ok := p.next()
			if !ok {
				t.Fatalf("no %s came", kind)
			}
			if r.kind == kind {
				return r
			}
			p.settle(r.n, want(r.kind), nil)
		}
	}
	first := next(Create)
	p.settle(first.n, http.StatusCreated, []byte(`{"id":7}`))
	p.settle(next(Delete).n, http.StatusServiceUnavailable, nil)
	if ids, unknown := p.leftovers(); !slices.Equal(ids, []int64{7}) || unknown {
		t.Errorf("after a deletion that failed: %v, %v, want user 7 and nothing unknown", ids, unknown)
	}
	p.settle(next(Delete).n, http.StatusNoContent, nil)
	p.settle(next(Create).n, 0, nil)
	if ids, unknown := p.leftovers(); len(ids) > 0 || !unknown {
		t.Errorf("after a creation without an answer: %v, %v, want something unknown", ids, unknown)
	}
	p.stop()
	if r, ok := p.next(); ok {
		t.Errorf("request %d came after stop", r.n)
	}
	if _, wrong := p.settle(first.n, http.StatusCreated, nil); wrong == "" {
		t.Error("a second answer to the same request was taken")
	}
}

// TestMixKeepsItsShares wants every kind's share to hold at any moment, give or
// take two requests, and the order to be the seed's.
func TestMixKeepsItsShares(t *testing.T) {
	total := 0.0
	for _, k := range Kinds() {
		total += k.Weight
	}
	if math.Abs(total-1) > 1e-9 {
		t.Errorf("the weights add up to %v, want 1", total)
	}
	for _, p := range []Profile{{Seed: 1}, {Slow: 0.02, Error: 0.02, Seed: 2}, {Slow: 0.5, Error: 0.5}, {Slow: 1, Seed: 4}} {
		m, again := newMix(p), newMix(p)
		counts := make(map[Kind]int)
		for n := 1; n <= 5000; n++ {
			k := m.next()
			if other := again.next(); other != k {
				t.Fatalf("request %d is %s, then %s, with the same seed", n, k, other)
			}
			counts[k]++
			for _, s := range m.shares {
				if off := float64(counts[s.Kind]) - s.Weight*float64(n); math.Abs(off) > 2 {
					t.Fatalf("after %d requests of %+v, %s is off its share by %.2f requests", n, p, s.Kind, off)
				}
			}
		}
	}
	order := func(seed uint64) (out []Kind) {
		m := newMix(Profile{Seed: seed})
		for range 50 {
			out = append(out, m.next())
		}
		return out
	}
	if slices.Equal(order(1), order(2)) {
		t.Error("two seeds give the same order")
	}
}

func TestPace(t *testing.T) {
	p := &pace{ctx: t.Context(), rate: 400, total: 3}
	began := time.Now()
	for i, wantWait := range []time.Duration{0, 2500 * time.Microsecond, 5 * time.Millisecond} {
		if wait, stop := p.Pace(0, uint64(i)); wait != wantWait || stop {
			t.Errorf("request %d: wait %v, stop %v, want %v, false", i, wait, stop, wantWait)
		}
	}
	if wait, stop := p.Pace(time.Second, 1); wait >= 0 || stop {
		t.Errorf("behind schedule: wait %v, stop %v, want none at all", wait, stop)
	}
	if _, stop := p.Pace(0, 3); !stop {
		t.Error("a fourth request of three")
	}
	if got := p.lag(2, p.began.Add(25*time.Millisecond)); got != 20*time.Millisecond {
		t.Errorf("lag = %v, want 20ms", got)
	}
	if got := p.lag(2, began); got != 0 {
		t.Errorf("lag of an early request = %v, want 0", got)
	}
}

func TestLatencyOf(t *testing.T) {
	var samples []time.Duration
	for i := 100; i >= 1; i-- {
		samples = append(samples, time.Duration(i)*time.Millisecond)
	}
	want := Latency{Count: 100, P50: 50 * time.Millisecond, P95: 95 * time.Millisecond, P99: 99 * time.Millisecond, Max: 100 * time.Millisecond}
	if got := latencyOf(samples); got != want {
		t.Errorf("latencyOf(1..100ms) = %+v, want %+v", got, want)
	}
	if got := latencyOf([]time.Duration{7}); got.P50 != 7 || got.P99 != 7 {
		t.Errorf("latencyOf(one sample) = %+v, want it everywhere", got)
	}
}
