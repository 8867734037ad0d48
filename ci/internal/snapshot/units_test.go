package snapshot

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	two := 2
	for _, c := range []struct {
		value    float64
		unit     string
		decimals *int
		want     string
	}{
		{0, "s", nil, "0 s"},
		{0, "ms", nil, "0 s"},
		{0, "bytes", nil, "0 B"},
		{1, "s", nil, "1 s"},
		{0.0123456, "s", nil, "12.3 ms"},
		{0.99996, "s", nil, "1 s"},
		{0.000_000_000_3, "s", nil, "0.3 ns"},
		{90, "s", nil, "1.5 min"},
		{7200, "s", nil, "2 hour"},
		{172800, "s", nil, "2 day"},
		{1500, "ms", nil, "1.5 s"},
		{0.25, "ms", nil, "250 µs"},
		{12, "ns", nil, "12 ns"},
		{-0.004, "s", nil, "−4 ms"},
		{1536, "bytes", nil, "1.5 KiB"},
		{1 << 30, "bytes", nil, "1 GiB"},
		{1500, "decbytes", nil, "1.5 kB"},
		{2.5e6, "Bps", nil, "2.5 MB/s"},
		{2 << 20, "binBps", nil, "2 MiB/s"},
		{0.02, "percentunit", nil, "2%"},
		{0.12345, "percentunit", nil, "12.3%"},
		{0.00042, "percentunit", nil, "0.042%"},
		{12.345, "percent", nil, "12.3%"},
		{30.04, "reqps", nil, "30 req/s"},
		{1234, "reqps", nil, "1.23K req/s"},
		{0.5, "ops", nil, "0.5 ops/s"},
		{1234, "short", nil, "1.23 K"},
		{1e6, "short", nil, "1 Mil"},
		{999, "short", nil, "999"},
		{1234567, "none", nil, "1234567"},
		{1.5, "", nil, "1.5"},
		{1.23456, "", &two, "1.23"},
		{3, "s", &two, "3.00 s"},
		{-0.0001, "none", &two, "0.00"},
		{5, "suffix: users", nil, "5 users"},
		{5, "parsecs", nil, "5 parsecs"},
		{1e20, "short", nil, "100000000 Tri"},
		{1e30, "short", nil, "1e+18 Tri"},
		{1e-12, "short", nil, "1e-12"},
		{math.NaN(), "s", nil, "NaN"},
		{math.Inf(1), "s", nil, "∞"},
		{math.Inf(-1), "none", nil, "−∞"},
		{math.MaxFloat64, "bytes", nil, "1.6e+293 PiB"},
		{math.SmallestNonzeroFloat64, "s", nil, "4.94e-315 ns"},
	} {
		if got := format(c.value, c.unit, c.decimals); got != c.want {
			t.Errorf("format(%v, %q) = %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}

// Every unit writes every size of number without a panic, in a few letters.
func TestFormatIsShort(t *testing.T) {
	for id := range units {
		for exponent := -300.0; exponent <= 300; exponent += 0.7 {
			for _, v := range []float64{math.Pow(10, exponent), -math.Pow(10, exponent)} {
				if got := format(v, id, nil); len([]rune(got)) > 24 {
					t.Errorf("format(%v, %q) = %q", v, id, got)
				}
			}
		}
	}
}
