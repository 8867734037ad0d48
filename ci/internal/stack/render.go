package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
)

// plainEvery is how often a line is written where lines stay: a log, a CI run.
const plainEvery = 10 * time.Second

// redrawEvery is how often the line on a terminal is written anew at most.
const redrawEvery = 100 * time.Millisecond

// Render returns a progress function that writes to w. On a terminal it rewrites
// one line with a bar; anywhere else it writes a line when a phase begins and one
// every 10 s after that. The bar has colour unless NO_COLOR is set. The function
// must not be called by two goroutines at a time, which [Stack] does not do.
func Render(w io.Writer, isTTY bool) func(Event) {
	r := &renderer{w: w, tty: isTTY, colour: isTTY && os.Getenv("NO_COLOR") == ""}
	return r.event
}

type renderer struct {
	w           io.Writer
	tty, colour bool
	shown       Event // the last event that was written
	open        bool  // the cursor is at the end of an unfinished line
}

func (r *renderer) event(e Event) {
	switch e.Phase {
	case PhaseDone:
		r.line(fmt.Sprintf("%-8s ready after %s", e.Program, clock(e.Elapsed)))
	case PhaseFailed:
		if errors.Is(e.Err, context.Canceled) {
			r.line(fmt.Sprintf("%-8s stopped", e.Program))
		} else {
			r.line(fmt.Sprintf("%-8s failed: %s", e.Program, oneLine(e.Err)))
		}
	default:
		if !r.due(e) {
			return
		}
		if r.tty {
			fmt.Fprintf(r.w, "\r\x1b[K%s", r.state(e, true))
			r.open = true
		} else {
			fmt.Fprintln(r.w, r.state(e, false))
		}
	}
	r.shown = e
}

// due reports whether e is to be written, by the clock of the events themselves.
func (r *renderer) due(e Event) bool {
	if e.Program != r.shown.Program || e.Phase != r.shown.Phase {
		return true
	}
	every := plainEvery
	if r.tty {
		every = redrawEvery
	}
	return e.Elapsed-r.shown.Elapsed >= every
}

// line writes a line that stays, in the place of the unfinished one.
func (r *renderer) line(text string) {
	if r.open {
		text = "\r\x1b[K" + text
	}
	fmt.Fprintln(r.w, text)
	r.open = false
}

// doing says what a phase is about.
var doing = map[Phase]string{
	PhaseWaiting:  filelock.Waiting("it"),
	PhaseModules:  "reading modules",
	PhaseCompile:  "compiling",
	PhaseLink:     "linking",
	PhaseDownload: "downloading",
	PhaseUnpack:   "unpacking",
}

// state is one line, at most some 75 columns wide, about an unfinished program.
func (r *renderer) state(e Event, bar bool) string {
	parts := []string{fmt.Sprintf("%-8s %s", e.Program, doing[e.Phase])}
	if bar && e.Total > 0 {
		parts = append(parts, r.bar(e.Done, e.Total))
	}
	switch {
	case e.Phase == PhaseDownload:
		parts = append(parts, fmt.Sprintf("%s of %s", size(uint64(e.Done)), size(uint64(e.Total))))
	case e.Phase == PhaseModules && e.Done > 0:
		parts = append(parts, fmt.Sprintf("%d downloaded", e.Done))
	case e.Phase == PhaseCompile:
		parts = append(parts, fmt.Sprintf("%d of %d packages", e.Done, e.Total))
	case e.Phase == PhaseUnpack:
		parts = append(parts, fmt.Sprintf("layer %d of %d", min(e.Done+1, e.Total), e.Total))
	}
	return strings.Join(append(parts, clock(e.Elapsed)), "  ")
}

// barWidth is the number of columns between the brackets.
const barWidth = 20

func (r *renderer) bar(done, total int64) string {
	full := int(barWidth * done / total)
	filled, empty := strings.Repeat("=", full), strings.Repeat(" ", barWidth-full)
	if r.colour {
		filled = "\x1b[32m" + filled + "\x1b[0m"
	}
	return "[" + filled + empty + "]"
}

// clock writes a duration in minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%dm%02ds", s/60, s%60)
}
