package snapshot

import (
	"math"
	"time"
)

// A tick is a labelled place on an axis.
type tick struct {
	// At is its place in percent: from the left, or from the top.
	At    float64
	Label string
}

// An axis is the range of values that a plot shows.
type axis struct {
	low, high float64
	// step is the distance of two ticks.
	step float64
	unit string
}

// wantedTicks is how many lines a plot of the usual height has room for.
const wantedTicks = 4

// newAxis returns an axis for the values from low to high. The axis begins at 0 if no
// value is negative, so that heights can be compared, and ends at a round number in
// the unit. least and most, if given, are its ends instead. whole says that the values
// are counts, so that ticks are whole numbers.
func newAxis(low, high float64, unitID string, least, most *float64, whole bool) axis {
	low = min(low, 0)
	if least != nil {
		low = *least
	}
	if most != nil {
		high = *most
	}
	u := unitOf(unitID)
	if high <= low {
		high = low + 1/u.scaled(1) // all is 0: some range is needed
	}
	factor := u.scaleFor(u.scaled(max(math.Abs(low), math.Abs(high)))).factor / u.scaled(1)
	step := niceStep((high-low)/factor/wantedTicks) * factor
	if whole {
		step = max(step, 1)
	}
	a := axis{low: low, high: high, step: step, unit: unitID}
	if least == nil {
		a.low = math.Floor(low/step+rounding) * step
	}
	if most == nil {
		a.high = math.Ceil(high/step-rounding) * step
	}
	return a
}

// rounding is the largest arithmetic error, in steps: a value that is this close to a
// whole number of steps is one.
const rounding = 1e-9

// niceStep returns the smallest of 1, 2, 5, 10, 20, … that is not below the number.
func niceStep(rough float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, nice := range []float64{1, 2, 5} {
		if rough <= nice*power*(1+rounding) {
			return nice * power
		}
	}
	return 10 * power
}

// share is a value's place on the axis: 0 at its lower end, 1 at its upper one.
func (a axis) share(v float64) float64 { return (v - a.low) / (a.high - a.low) }

// fromTop is a value's place on the axis in percent from the top.
func (a axis) fromTop(v float64) float64 { return round2(100 * (1 - a.share(v))) }

func (a axis) ticks() []tick {
	var all []tick
	for i := math.Ceil(a.low/a.step - rounding); i*a.step <= a.high+a.step*rounding; i++ {
		v := i * a.step
		all = append(all, tick{a.fromTop(v), format(v, a.unit, nil)})
		if len(all) > 4*wantedTicks {
			break // the step is too small for floating-point numbers of this size
		}
	}
	return all
}

// timeSteps are the distances between two labels of a time axis that read well.
var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

const (
	// maxTimes is how many labels fit below a plot on a telephone.
	maxTimes = 6
	// edge is the margin at both ends, in percent, that has no label: it would stick out.
	edge = 4
)

// timeTicks are round times between two, in UTC.
func timeTicks(from, to time.Time) []tick {
	span := to.Sub(from)
	step := timeSteps[len(timeSteps)-1]
	for _, s := range timeSteps {
		if span/s <= maxTimes {
			step = s
			break
		}
	}
	for span/step > maxTimes {
		step *= 2
	}
	layout := "15:04"
	switch {
	case step < time.Minute:
		layout = "15:04:05"
	case step >= 24*time.Hour:
		layout = "2 Jan"
	}
	var all []tick
	for t := from.UTC().Truncate(step).Add(step); t.Before(to); t = t.Add(step) {
		if at := 100 * float64(t.Sub(from)) / float64(span); at > edge && at < 100-edge {
			all = append(all, tick{round2(at), t.Format(layout)})
		}
	}
	return all
}

// round2 keeps two decimals: a hundredth of a percent is less than a pixel.
func round2(v float64) float64 { return math.Round(v*100) / 100 }
