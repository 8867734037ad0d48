// Package progress shows a person how far long work is, and writes a readable log where
// the output is no terminal.
//
// One [Printer] writes to one output. On a terminal it rewrites the last line; on a
// terminal that cannot do that, and in a log, it writes lines: one when a step
// begins, and no more than one every ten seconds while the step goes on.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Mode is how a Printer writes.
type Mode int

// The modes.
const (
	// Quiet writes nothing.
	Quiet Mode = iota
	// Log writes lines that stay: to a file, a pipe, or a terminal that has no way
	// to take a line back (TERM=dumb).
	Log
	// Terminal rewrites the last line.
	Terminal
)

// Every is how often a line about a step that goes on is written to a log.
const Every = 10 * time.Second

// redraw is how often the last line of a terminal is rewritten at most.
const redraw = 100 * time.Millisecond

// erase moves to the beginning of the line and empties it.
const erase = "\r\x1b[K"

// A Printer shows progress on one output. Its methods may be called from several
// goroutines.
type Printer struct {
	w      io.Writer
	mode   Mode
	colour bool
	width  func() int       // columns of the terminal
	now    func() time.Time // set in tests

	mu    sync.Mutex
	open  bool // the cursor is behind a line that can be rewritten
	step  string
	shown time.Time // when step was shown last
}

// To returns a Printer for w: for a terminal if w is one and TERM says that it is a
// capable one, otherwise for a log.
func To(w io.Writer) *Printer {
	p := &Printer{w: w, mode: Log, now: time.Now}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" || !enableEscapes(f) {
		return p
	}
	p.mode, p.colour = Terminal, os.Getenv("NO_COLOR") == ""
	p.width = func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return width
	}
	return p
}

// New returns a Printer of a mode that the caller chooses, for a terminal of so many
// columns. now is its clock; nil is time.Now.
func New(w io.Writer, mode Mode, columns int, now func() time.Time) *Printer {
	if now == nil {
		now = time.Now
	}
	return &Printer{
		w: w, mode: mode, colour: mode == Terminal && os.Getenv("NO_COLOR") == "",
		width: func() int { return columns }, now: now,
	}
}

// Mode is how p writes.
func (p *Printer) Mode() Mode { return p.mode }

// Colour tells whether p's output may have colours: a capable terminal, and NO_COLOR
// is not set.
func (p *Printer) Colour() bool { return p.colour }

// Say writes a line that stays.
func (p *Printer) Say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = ""
	if p.mode == Quiet {
		return
	}
	p.close()
	fmt.Fprintln(p.w, line)
}

// Update shows how far a step is. On a terminal, text takes the place of the text
// before. In a log, it is written when step is another than the last one, and
// otherwise once in [Every].
func (p *Printer) Update(step, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := Every
	if p.mode == Terminal {
		least = redraw
	}
	now := p.now()
	if p.mode == Quiet || step == p.step && now.Sub(p.shown) < least {
		return
	}
	p.step, p.shown = step, now
	if p.mode == Log {
		fmt.Fprintln(p.w, text)
		return
	}
	p.draw(text)
}

// Status shows a line that is of no use later, such as how long something runs: on a
// terminal alone, as the last line. "" takes it away.
func (p *Printer) Status(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = ""
	if p.mode != Terminal {
		return
	}
	if text == "" {
		p.close()
		return
	}
	p.draw(text)
}

func (p *Printer) draw(text string) {
	fmt.Fprint(p.w, erase, clip(text, p.width()-1))
	p.open = true
}

// close takes the rewritable line away.
func (p *Printer) close() {
	if p.open {
		fmt.Fprint(p.w, erase)
		p.open = false
	}
}

// clip cuts a text to so many columns: a line that wraps could not be taken back.
// Colours take no columns.
func clip(text string, columns int) string {
	if columns <= 0 {
		return text
	}
	var b strings.Builder
	coloured := false
	for text != "" {
		if end := escape(text); end > 0 {
			b.WriteString(text[:end])
			text, coloured = text[end:], true
			continue
		}
		if columns--; columns < 0 {
			break
		}
		_, size := utf8.DecodeRuneInString(text)
		b.WriteString(text[:size])
		text = text[size:]
	}
	if text != "" && coloured {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// escape is the length of the colour that text begins with, 0 if it begins with none.
func escape(text string) int {
	if !strings.HasPrefix(text, "\x1b[") {
		return 0
	}
	return strings.IndexByte(text, 'm') + 1
}
