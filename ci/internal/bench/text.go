package bench

import (
	"fmt"
	"strconv"
	"time"
)

// String is the row as a line: its name, its value, the spread and the goal.
func (r Row) String() string {
	s := fmt.Sprintf("%s: %s", r.Name, r.value(r.Median))
	if r.Runs > 1 {
		s += fmt.Sprintf(" (%s to %s, %d runs)", r.value(r.Least), r.value(r.Most), r.Runs)
	}
	if goal := r.goal(); goal != "" {
		s += ", goal " + goal
		if met, _ := r.Met(); !met {
			s += ": not met"
		}
	}
	return s
}

// goal is the goal as text, "" without one.
func (r Row) goal() string {
	switch {
	case r.AtMost != nil:
		return "≤ " + r.value(*r.AtMost)
	case r.AtLeast != nil:
		return "≥ " + r.value(*r.AtLeast)
	}
	return ""
}

// value writes a value in the unit that is easiest to read.
func (r Row) value(v float64) string {
	switch r.Unit {
	case Seconds:
		return readable(v)
	case Bytes:
		return size(v)
	case PerSecond:
		return grouped(v) + "/s"
	case Count:
		return grouped(v)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// readable writes seconds with three digits.
func readable(s float64) string {
	switch {
	case s < 1e-3:
		return digits(s*1e6) + " µs"
	case s < 1:
		return digits(s*1e3) + " ms"
	case s < 600:
		return digits(s) + " s"
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

func size(b float64) string {
	switch {
	case b >= 1e9:
		return digits(b/1e9) + " GB"
	case b >= 1e6:
		return digits(b/1e6) + " MB"
	case b >= 1e4:
		return digits(b/1e3) + " kB"
	}
	return digits(b) + " B"
}

// digits writes a value with three digits, or more when it is above 1,000.
func digits(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// grouped writes a number with commas between thousands.
func grouped(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
