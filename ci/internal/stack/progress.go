package stack

import (
	"strings"
	"sync"
	"time"
)

// Phase is a part of the work on a program.
type Phase string

// The phases, in the order in which they can come.
const (
	// PhaseWaiting: another process is at work on the same program.
	PhaseWaiting Phase = "waiting"
	// PhaseModules: the go command downloads modules; Done counts them, and
	// Total is 0 because nobody knows it yet.
	PhaseModules Phase = "modules"
	// PhaseCompile: Done and Total count packages.
	PhaseCompile Phase = "compile"
	// PhaseLink: all packages are compiled; Done equals Total.
	PhaseLink Phase = "link"
	// PhaseDownload: Done and Total are bytes of the image's layers.
	PhaseDownload Phase = "download"
	// PhaseUnpack: the layers are being unpacked; Done and Total count them.
	PhaseUnpack Phase = "unpack"
	// PhaseDone: the program is there; Done equals Total.
	PhaseDone Phase = "done"
	// PhaseFailed: Err says why.
	PhaseFailed Phase = "failed"
)

// Event is one step forward. Done never exceeds Total where Total is known,
// never decreases within a phase, and equals it in [PhaseDone].
type Event struct {
	Program string
	Phase   Phase
	Done    int64
	Total   int64         // 0 when it is not known
	Elapsed time.Duration // since work on this program began
	Err     error         // only in PhaseFailed
}

// tick is how often an event is repeated when nothing happens, so that the time
// on display goes on while one large package compiles or the linker is silent.
const tick = time.Second

// A tracker reports how far work on one program is.
type tracker struct {
	report func(Event)
	start  time.Time
	over   chan struct{}
	ticker sync.WaitGroup

	mu   sync.Mutex // held while reporting: events come one at a time
	last Event
}

// startProgress begins work on a program; the caller stops it.
func (s *Stack) startProgress(program string) *tracker {
	p := &tracker{report: s.report, start: time.Now(), over: make(chan struct{}), last: Event{Program: program}}
	p.ticker.Go(func() {
		t := time.NewTicker(tick)
		defer t.Stop()
		for {
			select {
			case <-p.over:
				return
			case <-t.C:
				p.mu.Lock()
				if p.last.Phase != "" {
					p.send()
				}
				p.mu.Unlock()
			}
		}
	})
	return p
}

// stop ends the repetition; no event comes after it returns.
func (p *tracker) stop() {
	close(p.over)
	p.ticker.Wait()
}

// set reports a step. It holds what Event promises about Done.
func (p *tracker) set(phase Phase, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if phase == p.last.Phase {
		done = max(done, p.last.Done)
	}
	if total > 0 {
		done = min(done, total)
	}
	p.last.Phase, p.last.Done, p.last.Total = phase, done, total
	p.send()
}

func (p *tracker) send() {
	p.last.Elapsed = time.Since(p.start)
	p.report(p.last)
}

// report tells the caller about an event, one at a time.
func (s *Stack) report(e Event) {
	if s.cfg.Progress == nil {
		return
	}
	s.reporting.Lock()
	defer s.reporting.Unlock()
	s.cfg.Progress(e)
}

// counter turns the lines of `go build -v` into packages done. The go command
// prints a package when it begins to compile it, so as many of the printed
// packages as it runs compilers may still be at it: they do not count as done.
type counter struct {
	total, parallel, begun int
}

func newCounter(total, parallel int) *counter { return &counter{total: total, parallel: parallel} }

// phase is where a compile is when it begins.
func (c *counter) phase() Phase {
	if c.total == 0 {
		return PhaseLink
	}
	return PhaseCompile
}

// line takes one line of output; ok is false when it is not about progress.
func (c *counter) line(line string) (phase Phase, done int64, ok bool) {
	// An import path has no blank in it; compilers' messages and the go
	// command's own do, or begin with a #.
	if strings.ContainsAny(line, " \t") || strings.HasPrefix(line, "#") {
		return "", 0, false
	}
	c.begun++
	if c.begun >= c.total {
		// The last packages may still be compiling next to each other, but what
		// takes the time from here on is the linker, which prints nothing.
		return PhaseLink, int64(c.total), true
	}
	return PhaseCompile, int64(max(0, c.begun-c.parallel)), true
}
