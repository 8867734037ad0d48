package report

import (
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// Format names a renderer.
type Format string

// The formats.
const (
	// Table is for people: aligned columns, coloured on a terminal.
	Table Format = "table"
	// JSON is for programs; the field names are those of [Report.MarshalJSON].
	JSON Format = "json"
	// JUnit is the XML that CI viewers read.
	JUnit Format = "junit"
	// Markdown is for the summary of a CI run, on GitHub and GitLab.
	Markdown Format = "markdown"
)

// Formats lists the valid formats, the default first.
func Formats() []Format { return []Format{Table, JSON, JUnit, Markdown} }

// ParseFormat returns the format of that name. An empty name is the default,
// table; the error for an unknown name lists the valid ones.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return Table, nil
	}
	f := Format(strings.ToLower(name))
	if slices.Contains(Formats(), f) {
		return f, nil
	}
	valid := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		valid = append(valid, string(f))
	}
	return "", fmt.Errorf("unknown output format %q (valid: %s)", name, strings.Join(valid, ", "))
}

// Write renders the report to w. A table takes its width and its colours from w
// when w is a terminal; see [StyleFor].
func Write(w io.Writer, format Format, r Report) error {
	switch format {
	case Table:
		return WriteTable(w, r, StyleFor(w))
	case JSON:
		return writeJSON(w, r)
	case JUnit:
		return writeJUnit(w, r)
	case Markdown:
		return writeMarkdown(w, r)
	}
	_, err := ParseFormat(string(format))
	if err == nil {
		err = fmt.Errorf("output format %q has no renderer", format)
	}
	return err
}

// Style says how a table may look.
type Style struct {
	// Width is the number of columns to stay within; 0 means no limit.
	Width int
	// Color allows ANSI colours and the marks ✓ and ✗; without it the table is
	// plain ASCII apart from the text of the checks themselves.
	Color bool
}

// StyleFor returns the style for w: a terminal gives its width, and colours
// unless NO_COLOR is set (to anything but the empty string, see no-color.org)
// or TERM is "dumb". Anything else is plain and has no limit.
func StyleFor(w io.Writer) Style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return Style{}
	}
	s := Style{Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width = width
	}
	return s
}

func sorted(keys iter.Seq[string]) []string { return slices.Sorted(keys) }
