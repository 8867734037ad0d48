// Package bench measures what the lab costs: processor time, memory, disk and time. Every
// figure has a name; `lab bench` measures them, and writes docs/performance.md.
//
// Two things are compared side by side: measured in turns, ABABAB, in one run, so that
// another program on the machine slows both. Processor time is what the operating system
// has counted for each process, user and system, and not what a clock says.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Options say what to measure, and with what.
type Options struct {
	// Figures are names of [Figures]; none is all.
	Figures []string
	// Short measures for seconds where a figure can: for the check against committed
	// ratios, and not for a table.
	Short bool
	// Root is the checkout, "" without one; the services are compiled from there.
	Root string
	// Version is the lab's.
	Version string
	// Lab is where the lab is brought up; every figure that needs one has a lab of its own.
	Lab target.Target
	// Self runs `lab` with arguments as a person would, and returns its standard output.
	Self func(ctx context.Context, args ...string) ([]byte, error)
	// Cache is the folder with the stack's programs, for the time that each took to compile.
	Cache string
	// Spans is how many spans the growth is measured up to.
	Spans int
	// Profiles is a folder that gets a profile of the services' processor time; "" is none.
	Profiles string
	// Say gets each line that stays; Line a line in the place of the one before.
	Say, Line func(text string)
}

// figure is a named measurement.
type figure struct {
	name, title string
	measure     func(ctx context.Context, o Options) (rows []Row, notes []string, err error)
}

// figures are in the order in which they are measured and written.
var figures = []figure{
	{"service-ratio", "The backend with telemetry ÷ the same program without", serviceRatio},
	{"flask-ratio", "The fully traced lab ÷ the original lab's Flask pair without telemetry, GET /api/users/1", flaskRatio},
	{"highest-rate", "The highest rate at which `lab verify` finds everything, lab and generator on the same cores", highestRate},
	{"up", "`lab up`, when the programs are there", up},
	{"verify-up", "`lab verify --up`", verifyUp},
	{"verify-last", "`lab verify --run last`, with many traces stored before", verifyLast},
	{"memory", "Memory of all processes: idle, under load, and over a day", memory},
	{"growth", "What grows with the number of spans stored", growth},
	{"compile", "Compiling the stack's programs from source, as recorded here", compileTime},
	{"bytes", "Bytes on disk for a span, a log line, a sample", storedBytes},
}

// Names are the names of all figures.
func Names() []string {
	var names []string
	for _, f := range figures {
		names = append(names, f.name)
	}
	return names
}

// Titles lists each figure's name and title, for a help text.
func Titles() string {
	var b []byte
	for _, f := range figures {
		b = fmt.Appendf(b, "    %-14s %s\n", f.name, f.title)
	}
	return string(b)
}

// Run measures the figures, one after another. One that fails is left out, and does not
// keep the others from being measured. What is measured so far is in the report, also when
// ctx ends.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Line == nil {
		o.Line = func(string) {}
	}
	r := Report{Started: time.Now().UTC(), Version: o.Version, Machine: thisOne(), Figures: []Figure{}}
	var errs []error
	for _, f := range figures {
		if len(o.Figures) > 0 && !slices.Contains(o.Figures, f.name) {
			continue
		}
		o.Say(fmt.Sprintf("%s: %s", f.name, f.title))
		done, err := f.run(ctx, o)
		r.Duration = time.Since(r.Started).Seconds()
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
			continue
		}
		r.Figures = append(r.Figures, done)
	}
	return r, errors.Join(errs...)
}

func (f figure) run(ctx context.Context, o Options) (Figure, error) {
	done := Figure{Name: f.name, Title: f.title, Started: time.Now().UTC(), LoadBefore: loadAverage(), Rows: []Row{}, Notes: []string{}}
	rows, notes, err := f.measure(ctx, o)
	o.Line("")
	done.Duration, done.LoadAfter = time.Since(done.Started).Seconds(), loadAverage()
	if reason, ok := asSkip(err); ok {
		done.Skipped = reason
		o.Say("  skipped: " + reason)
		return done, nil
	}
	if err != nil {
		return done, err
	}
	done.Rows, done.Notes = append(done.Rows, rows...), append(done.Notes, notes...)
	for _, r := range done.Rows {
		o.Say("  " + r.String())
	}
	return done, nil
}

// step says how far a figure is, on a line that is replaced.
func (o Options) step(format string, values ...any) { o.Line("· " + fmt.Sprintf(format, values...)) }
