package traffic

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Profile says what a run asks for: how many requests, how quickly, and which
// share of them is made slow or made to fail.
type Profile struct {
	// Name is what the profile is called on the command line.
	Name string
	// Description says in one line what the profile is good for.
	Description string
	// Rate is the number of requests per second, sent on schedule whatever the
	// answers do (open loop); 0.1 to 20,000.
	Rate float64
	// Requests is the exact number of requests; 1 to 10,000,000.
	Requests int
	// Slow is the share (0 to 1) of requests whose query is delayed by Delay.
	Slow float64
	// Error is the share (0 to 1) of requests whose query is made to fail, so
	// that the answer is 500. Slow and Error together are at most 1.
	Error float64
	// Delay is how long a slow request's query takes; more than 0, at most 5s,
	// which is the services' own bound.
	Delay time.Duration
	// Seed fixes the order of the kinds of requests.
	Seed uint64
}

// The bounds of a profile, see [Profile].
const (
	minRate, maxRate = 0.1, 20_000
	maxRequests      = 10_000_000
	maxDelay         = 5 * time.Second
)

// Profiles lists the profiles, the default first. The shares of slow and failing
// requests are large enough that even smoke has some of each.
func Profiles() []Profile {
	const delay = 100 * time.Millisecond
	return []Profile{
		{Name: "smoke", Description: "200 requests in 5 seconds: does everything answer, and is everything recorded?",
			Rate: 40, Requests: 200, Slow: 0.05, Error: 0.05, Delay: delay, Seed: 1},
		{Name: "steady", Description: "30 requests a second for 5 minutes: something to look at in the dashboards",
			Rate: 30, Requests: 30 * 300, Slow: 0.03, Error: 0.02, Delay: delay, Seed: 1},
		{Name: "heavy", Description: "10,000 requests at 400 a second: does the lab keep up and lose nothing?",
			Rate: 400, Requests: 10_000, Slow: 0.02, Error: 0.02, Delay: delay, Seed: 1},
	}
}

// ByName returns the profile of that name; the error lists the valid names.
func ByName(name string) (Profile, error) {
	var names []string
	for _, p := range Profiles() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, fmt.Errorf("unknown traffic profile %q (valid: %s)", name, strings.Join(names, ", "))
}

// Overrides changes parts of a profile; a zero value or nil leaves the part as
// it is.
type Overrides struct {
	// Rate in requests per second.
	Rate float64
	// Requests is the number of requests; not together with both others.
	Requests int
	// Duration of the sending. Alone or with Rate it sets the number of
	// requests, with Requests it sets the rate.
	Duration time.Duration
	// Slow and Error are shares between 0 and 1. They are pointers, because 0 is a value
	// to ask for.
	Slow, Error *float64
	// Seed of the order of requests.
	Seed *uint64
}

// With returns the profile with the overrides applied, or an error that says
// which of them is out of bounds or contradicts another.
func (p Profile) With(o Overrides) (Profile, error) {
	if o.Rate < 0 || o.Requests < 0 || o.Duration < 0 {
		return p, errors.New("rate, requests and duration must not be negative")
	}
	if o.Rate > 0 && o.Requests > 0 && o.Duration > 0 {
		return p, errors.New("rate, requests and duration: give at most two, the third follows from them")
	}
	if o.Rate > 0 {
		p.Rate = o.Rate
	}
	if o.Requests > 0 {
		p.Requests = o.Requests
	}
	switch {
	case o.Duration > 0 && o.Requests > 0:
		p.Rate = float64(o.Requests) / o.Duration.Seconds()
	case o.Duration > 0:
		n := math.Round(p.Rate * o.Duration.Seconds())
		p.Requests = int(min(max(n, 1), maxRequests+1))
	}
	if o.Slow != nil {
		p.Slow = *o.Slow
	}
	if o.Error != nil {
		p.Error = *o.Error
	}
	if o.Seed != nil {
		p.Seed = *o.Seed
	}
	return p, p.validate()
}

// Duration is how long the sending takes when it is on schedule.
func (p Profile) Duration() time.Duration {
	return time.Duration(float64(p.Requests) / p.Rate * float64(time.Second))
}

// needsFaults reports whether the profile asks the services for faults.
func (p Profile) needsFaults() bool { return p.Slow > 0 || p.Error > 0 }

func (p Profile) validate() error {
	switch {
	case !(p.Rate >= minRate && p.Rate <= maxRate): // also refuses NaN
		return fmt.Errorf("rate %g is not between %g and %g requests per second", p.Rate, minRate, float64(maxRate))
	case p.Requests < 1 || p.Requests > maxRequests:
		return fmt.Errorf("number of requests %d is not between 1 and %d", p.Requests, maxRequests)
	case !(p.Slow >= 0 && p.Slow <= 1):
		return fmt.Errorf("share of slow requests %g is not between 0 and 1", p.Slow)
	case !(p.Error >= 0 && p.Error <= 1):
		return fmt.Errorf("share of failing requests %g is not between 0 and 1", p.Error)
	case p.Slow+p.Error > 1:
		return fmt.Errorf("shares of slow and failing requests, %g and %g, are more than 1 together", p.Slow, p.Error)
	case p.Slow > 0 && (p.Delay <= 0 || p.Delay > maxDelay):
		return fmt.Errorf("delay %v of slow requests is not between 0s and %v", p.Delay, maxDelay)
	}
	return nil
}
