package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Clean makes text safe to print on a terminal and to put into XML: control
// characters, invalid UTF-8, characters that XML 1.0 forbids and those that
// change the direction of text are written as visible escapes (\x1b, \u202e).
// Newlines and tabs stay; a carriage return before a newline is dropped.
func Clean(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if !strings.ContainsFunc(s, hostile) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == utf8.RuneError || !hostile(r): // a real U+FFFD is three bytes
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

// hostile reports whether r must not reach a terminal or an XML document.
// U+FFFD is among them because ranging over invalid UTF-8 yields it; Clean
// keeps a real one.
func hostile(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < 0x20, r >= 0x7f && r <= 0x9f: // C0, DEL and C1
		return true
	case r == utf8.RuneError:
		return true
	case r >= 0x200e && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // text direction
		return true
	case r == 0x2028, r == 0x2029: // line and paragraph separator
		return true
	case r == 0xfffe, r == 0xffff: // not characters in XML 1.0
		return true
	}
	return false
}

// OneLine is Clean for a table's cell: all white space becomes single spaces.
func OneLine(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }
