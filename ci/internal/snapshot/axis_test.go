package snapshot

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestAxis(t *testing.T) {
	one, half := 1.0, 0.5
	for _, c := range []struct {
		name        string
		low, high   float64
		unit        string
		least, most *float64
		whole       bool
		want        string // from the bottom
	}{
		{"from 0 to a round number", 3, 37, "reqps", nil, nil, false, "0 req/s, 10 req/s, 20 req/s, 30 req/s, 40 req/s"},
		{"in the unit's own scale", 0, 0.0031, "s", nil, nil, false, "0 s, 1 ms, 2 ms, 3 ms, 4 ms"},
		{"in powers of 1024", 0, 70 << 20, "bytes", nil, nil, false, "0 B, 20 MiB, 40 MiB, 60 MiB, 80 MiB"},
		{"minutes", 0, 500, "s", nil, nil, false, "0 s, 5 min, 10 min"},
		{"a share", 0, 0.019, "percentunit", nil, nil, false, "0%, 0.5%, 1%, 1.5%, 2%"},
		{"negative values", -5, 5, "none", nil, nil, false, "−5, 0, 5"},
		{"nothing but 0", 0, 0, "ops", nil, nil, false, "0 ops/s, 0.5 ops/s, 1 ops/s"},
		{"nothing but 0 of a share", 0, 0, "percentunit", nil, nil, false, "0%, 0.5%, 1%"},
		{"counts have no halves", 0, 2, "short", nil, nil, true, "0, 1, 2"},
		{"the panel's own bounds", 0.2, 0.3, "percentunit", nil, &one, false, "0%, 50%, 100%"},
		{"the panel's own lower bound", 0.6, 1, "none", &half, nil, false, "0.6, 0.8, 1"},
	} {
		a := newAxis(c.low, c.high, c.unit, c.least, c.most, c.whole)
		var labels []string
		last := 101.0
		for _, tick := range a.ticks() {
			labels = append(labels, tick.Label)
			if tick.At < 0 || tick.At > 100 || tick.At >= last {
				t.Errorf("%s: a tick at %v%%", c.name, tick.At)
			}
			last = tick.At
		}
		if got := strings.Join(labels, ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Whatever the values are, an axis has them within, and a few ticks.
func TestAxisOfAnything(t *testing.T) {
	for _, high := range []float64{5e-324, 1e-300, 1e-9, 0.1, 1, 1e9, 1e300, math.MaxFloat64 / 4} {
		for _, low := range []float64{0, -high, high} {
			a := newAxis(low, high, "s", nil, nil, false)
			if n := len(a.ticks()); n > 4*wantedTicks+1 {
				t.Errorf("from %v to %v: %d ticks", low, high, n)
			}
			if s := a.share(high); !(s > 0 && s <= 1.0001) && high > 1e-300 {
				t.Errorf("from %v to %v: the highest value is at %v", low, high, s)
			}
		}
	}
}

func TestTimeTicks(t *testing.T) {
	from := time.Date(2026, 11, 22, 15, 51, 42, 0, time.UTC)
	for _, c := range []struct {
		span time.Duration
		want string
	}{
		{30 * time.Second, "15:51:45 15:51:50 15:51:55 15:52:00 15:52:05 15:52:10"},
		{5 * time.Minute, "15:52 15:53 15:54 15:55 15:56"},
		{30 * time.Minute, "15:55 16:00 16:05 16:10 16:15 16:20"},
		{6 * time.Hour, "17:00 18:00 19:00 20:00 21:00"},
		{60 * 24 * time.Hour, "3 Dec 19 Dec 4 Jan"},
	} {
		var labels []string
		for _, tick := range timeTicks(from, from.Add(c.span)) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.span, got, c.want)
		}
	}
}

func TestAgo(t *testing.T) {
	for from, want := range map[string]time.Duration{
		"now-30m": 30 * time.Minute, "now-1h": time.Hour, "now-2d": 48 * time.Hour, "now-90s": 90 * time.Second,
		"": usualRange, "now": usualRange, "now-": usualRange, "now-0m": usualRange, "now-5x": usualRange, "now/d": usualRange,
	} {
		if got := ago(from); got != want {
			t.Errorf("ago(%q) = %v, want %v", from, got, want)
		}
	}
}
