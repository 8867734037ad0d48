package traceview

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// harmless returns the text in one line and without anything that a terminal obeys:
// control characters, marks that turn the direction of writing, and bytes that are
// not UTF-8 are shown as Go would write them, such as \n and \x1b.
func harmless(text string) string {
	if strings.IndexFunc(text, obeyed) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[0])|0x100, 16)[1:])
		case obeyed(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}

// obeyed tells whether a terminal would do something else than show the character.
func obeyed(r rune) bool { return !unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029' }
