package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
)

// Render returns a progress function that shows on p how far each program is, with a
// bar on a terminal.
func Render(p *progress.Printer) func(Event) {
	r := renderer{p}
	return r.event
}

type renderer struct{ *progress.Printer }

func (r renderer) event(e Event) {
	switch {
	case e.Phase == PhaseDone:
		r.Say(fmt.Sprintf("%-8s ready after %s", e.Program, clock(e.Elapsed)))
	case e.Phase == PhaseFailed && errors.Is(e.Err, context.Canceled):
		r.Say(fmt.Sprintf("%-8s stopped", e.Program))
	case e.Phase == PhaseFailed:
		r.Say(fmt.Sprintf("%-8s failed: %s", e.Program, oneLine(e.Err)))
	default:
		r.Update(e.Program+" "+string(e.Phase), r.state(e))
	}
}

// doing names the work of a phase.
var doing = map[Phase]string{
	PhaseWaiting:  filelock.Waiting("it"),
	PhaseModules:  "reading modules",
	PhaseCompile:  "compiling",
	PhaseLink:     "linking",
	PhaseDownload: "downloading",
	PhaseUnpack:   "unpacking",
}

// state is one line, at most some 75 columns wide, about an unfinished program.
func (r renderer) state(e Event) string {
	parts := []string{fmt.Sprintf("%-8s %s", e.Program, doing[e.Phase])}
	if r.Mode() == progress.Terminal && e.Total > 0 {
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

func (r renderer) bar(done, total int64) string {
	full := int(barWidth * done / total)
	filled, empty := strings.Repeat("=", full), strings.Repeat(" ", barWidth-full)
	if r.Colour() {
		filled = "\x1b[32m" + filled + "\x1b[0m"
	}
	return "[" + filled + empty + "]"
}

// clock writes a duration in minutes and seconds.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%dm%02ds", s/60, s%60)
}
