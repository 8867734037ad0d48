package main

import (
	"fmt"
	"io"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/local"
)

// statusLine is one line at the bottom of a terminal, rewritten in place. Where
// nobody looks, it is nothing.
type statusLine struct {
	w     io.Writer
	shown bool
}

func newStatusLine(w io.Writer) *statusLine {
	if !isTerminal(w) {
		w = nil
	}
	return &statusLine{w: w}
}

// show replaces the line.
func (s *statusLine) show(state *local.State, components []local.Component) {
	if s.w == nil {
		return
	}
	ready, memory := 0, uint64(0)
	for _, c := range components {
		if c.State == "ready" {
			ready++
		}
		memory += c.Memory
	}
	fmt.Fprintf(s.w, "\r\x1b[Kup %v · %d of %d ready · %d MB",
		time.Since(state.Started).Round(time.Second), ready, len(components), memory>>20)
	s.shown = true
}

// clear removes the line, so that something else can be printed.
func (s *statusLine) clear() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}
