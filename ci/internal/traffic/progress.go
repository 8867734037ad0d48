package traffic

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// Phase is what a run is doing.
type Phase string

// The phases, in order.
const (
	Preflight Phase = "pre-flight" // the lab is asked whether it is ready for the run
	Counting  Phase = "counting"   // what the lab has counted before the run is read; only with Options.Before
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
		return "reading what was counted before"
	}
	return fmt.Sprintf("%s: %d/%d sent in %s, %.1f/s, %d under way, %d failed, p95 %s", e.Phase,
		e.Sent, e.Total, report.Elapsed(e.Elapsed.Round(100*time.Millisecond)), e.Rate, e.Underway, e.Failed, report.Elapsed(e.P95))
}

// lineEvery is the time between progress lines when they cannot be rewritten.
const lineEvery = 5 * time.Second

// ProgressTo returns a function for Options.Progress that writes to w: on a
// terminal one line that is rewritten, elsewhere a line every 5 seconds and one
// for each change of phase.
func ProgressTo(w io.Writer) func(Event) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return plainProgress(w)
	}
	return lineProgress(w, func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return width
	})
}

func plainProgress(w io.Writer) func(Event) {
	var (
		mu    sync.Mutex
		phase Phase
		next  time.Duration
	)
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Phase == phase && (e.Phase != Sending || e.Elapsed < next) {
			return
		}
		phase, next = e.Phase, e.Elapsed.Truncate(lineEvery)+lineEvery
		fmt.Fprintln(w, e)
	}
}

// lineProgress rewrites one line, which it never lets wrap: a wrapped line could
// not be taken back.
func lineProgress(w io.Writer, width func() int) func(Event) {
	var (
		mu      sync.Mutex
		written int
	)
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		line := e.String()
		if limit := width() - 1; limit > 0 && utf8.RuneCountInString(line) > limit {
			line = string([]rune(line)[:limit])
		}
		n := utf8.RuneCountInString(line)
		end := ""
		if e.Phase == Done {
			end = "\n"
		}
		fmt.Fprintf(w, "\r%s%s%s", line, strings.Repeat(" ", max(0, written-n)), end)
		written = n
	}
}
