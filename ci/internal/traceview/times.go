package traceview

import (
	"fmt"
	"time"
)

// A span's time is believed when it is between these two, from now: older ones Loki
// would not search, which takes 30 days in one query; later ones are of a clock that
// is wrong by more than its time zone.
const (
	believedPast   = 29 * 24 * time.Hour
	believedFuture = 24 * time.Hour
)

// believed tells whether a span's time can be true.
func believed(t time.Time) bool {
	d := time.Since(t)
	return d < believedPast && d > -believedFuture
}

// begin is the earliest start that is believed, or else the earliest that is set.
func begin(spans []Span) time.Time {
	var first time.Time
	for _, s := range spans { // the earliest first
		if believed(s.Start) {
			return s.Start
		}
		if first.IsZero() && isTime(s.Start) {
			first = s.Start
		}
	}
	return first
}

// isTime tells whether a sender has set the time. 0 is what OTLP has where it is not.
func isTime(t time.Time) bool { return t.UnixNano() != 0 }

// times writes how long a span took and when it began, in milliseconds, and says what
// is odd about that.
func times(s Span, begin time.Time) (took, at string, odd []string) {
	took, at = ms(0), "?"
	switch {
	case !isTime(s.Start):
		odd = append(odd, "no start time")
	case !isTime(s.End):
		odd = append(odd, "no end time")
	default:
		took = ms(s.End.Sub(s.Start))
		if s.End.Before(s.Start) {
			odd = append(odd, "ends before it starts")
		}
	}
	if !isTime(s.Start) {
		return took, at, odd
	}
	if d := s.Start.Sub(begin); d > -believedFuture && d < believedFuture {
		at = fmt.Sprintf("%+.1fms", milliseconds(d))
	}
	if at == "?" || !believed(s.Start) {
		odd = append(odd, "started "+s.Start.UTC().Format(time.RFC3339))
	}
	return took, at, odd
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ms(d time.Duration) string { return fmt.Sprintf("%.1fms", milliseconds(d)) }
