package traffic

import (
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// Phase is what a run is doing.
type Phase string

// The phases, in order.
const (
	Preflight Phase = "pre-flight" // asking the lab whether it is ready for the run
	Counting  Phase = "counting"   // reading the lab's counters; only with Options.Before
	Sending   Phase = "sending"
	Cleanup   Phase = "cleaning up" // only when users are left, after an interruption or errors
	Done      Phase = "done"        // the last event of every run that got past the pre-flight
)

// Event is the progress of a run.
type Event struct {
	Phase    Phase
	Elapsed  time.Duration // since the first request was due
	Sent     int
	Total    int
	Underway int           // sent and not answered
	Rate     float64       // requests per second so far
	Failed   int           // answers not as expected, and missing ones
	P95      time.Duration // of the last 1000 answers
}

// String is the event in one line.
func (e Event) String() string {
	switch e.Phase {
	case Preflight:
		return "pre-flight"
	case Counting:
		return "reading the counters"
	}
	return fmt.Sprintf("%s: %d/%d sent in %s, %.1f/s, %d under way, %d failed, p95 %s", e.Phase,
		e.Sent, e.Total, report.Elapsed(e.Elapsed.Round(100*time.Millisecond)), e.Rate, e.Underway, e.Failed, report.Elapsed(e.P95))
}

// ProgressTo returns a function for Options.Progress that shows the run on p.
func ProgressTo(p *progress.Printer) func(Event) {
	return func(e Event) {
		if e.Phase == Done {
			p.Say(e.String())
			return
		}
		p.Update(string(e.Phase), e.String())
	}
}
