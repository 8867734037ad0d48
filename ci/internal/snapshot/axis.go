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

// newAxis makes an axis around the values from low to high. It begins at 0 when no
// value is negative, so that heights can be compared, and ends at a round number in
// the unit. least and most, when given, are its ends. whole says that there is
// nothing between two whole numbers.
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

// rounding is how far from a whole number of steps a value may be that is one but
// for the arithmetic.
const rounding = 1e-9

// niceStep is the next of 1, 2, 5, 10, 20, … at or above a number.
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
			break // a range that is lost in the arithmetic
		}
	}
	return all
}

// timeSteps are the distances that a clock's face makes readable.
var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

const (
	// mostTimes is how many times fit below a plot on a telephone.
	mostTimes = 6
	// edge is how near to an end, in percent, a time is not written: it would stick out.
	edge = 4
)

// timeTicks are round times between two, in UTC.
func timeTicks(from, to time.Time) []tick {
	span := to.Sub(from)
	step := timeSteps[len(timeSteps)-1]
	for _, s := range timeSteps {
		if span/s <= mostTimes {
			step = s
			break
		}
	}
	for span/step > mostTimes {
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
