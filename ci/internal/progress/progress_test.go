package progress

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// printed is what a printer of a mode writes in the course of a piece of work.
func printed(mode Mode) string {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := New(&out, mode, 20, func() time.Time { return now })
	p.Update("get", "get 1 of 9")
	now = now.Add(50 * time.Millisecond)
	p.Update("get", "get 2 of 9")
	now = now.Add(time.Second)
	p.Update("get", "get 3 of 9")
	now = now.Add(Every)
	p.Update("get", "get 8 of 9")
	p.Update("unpack", "unpack a name that is wider than the terminal")
	p.Say("there")
	p.Status("up 1 s")
	p.Status("up 2 s")
	p.Status("")
	p.Say("gone")
	return out.String()
}

func TestModes(t *testing.T) {
	for name, tt := range map[string]struct {
		mode Mode
		want string
	}{
		"quiet": {Quiet, ""},
		"log":   {Log, "get 1 of 9\nget 8 of 9\nunpack a name that is wider than the terminal\nthere\ngone\n"},
		"terminal": {Terminal, "\r\x1b[Kget 1 of 9\r\x1b[Kget 3 of 9\r\x1b[Kget 8 of 9\r\x1b[Kunpack a name that \r\x1b[Kthere\n" +
			"\r\x1b[Kup 1 s\r\x1b[Kup 2 s\r\x1b[Kgone\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := printed(tt.mode); got != tt.want {
				t.Errorf("printed\n%q, want\n%q", got, tt.want)
			}
		})
	}
}

// A step that comes again after another line is told again: in a log, its last line
// may be far above.
func TestLogTellsAStepAgain(t *testing.T) {
	var out strings.Builder
	p := New(&out, Log, 0, func() time.Time { return time.Unix(0, 0) })
	p.Update("a", "a 1")
	p.Update("b", "b 1")
	p.Update("a", "a 2")
	p.Say("note")
	p.Update("a", "a 3")
	if got, want := out.String(), "a 1\nb 1\na 2\nnote\na 3\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

func TestToIsALogWithoutATerminal(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, p := range map[string]*Printer{"a buffer": To(&bytes.Buffer{}), "a file": To(file)} {
		if p.Mode() != Log || p.Colour() {
			t.Errorf("To(%s) has mode %d, colour %v", name, p.Mode(), p.Colour())
		}
	}
}

func TestColourHeedsNoColor(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	if !New(&bytes.Buffer{}, Terminal, 80, nil).Colour() {
		t.Error("a terminal has no colour")
	}
	t.Setenv("NO_COLOR", "1")
	if p := New(&bytes.Buffer{}, Terminal, 80, nil); p.Colour() || p.Mode() != Terminal {
		t.Errorf("with NO_COLOR: colour %v, mode %d", p.Colour(), p.Mode())
	}
}

func TestClip(t *testing.T) {
	const green, reset = "\x1b[32m", "\x1b[0m"
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"abc", 5, "abc"},
		{"abc", 2, "ab"},
		{"äöü", 2, "äö"},
		{"abc", 0, "abc"}, // no size is known
		{green + "abc" + reset + "def", 6, green + "abc" + reset + "def"},
		{green + "abc" + reset, 2, green + "ab" + reset},
	} {
		if got := clip(tt.text, tt.columns); got != tt.want {
			t.Errorf("clip(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}
