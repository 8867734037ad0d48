// Package tail takes the last lines of a program's output, for a message about its end.
package tail

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// window is how much of a file's end is read, in bytes: some hundred lines.
const window = 16 << 10

// widest is the most of a line that is kept, in characters: five lines of a
// terminal. Programs log whole requests and stack traces in one line.
const widest = 400

// File returns the last n lines of the file, as [Lines] does. It reads no more than
// the last 16 KiB. If the file cannot be read, the one line is the reason.
func File(name string, n int) []string {
	text, err := end(name)
	if err != nil {
		return []string{fmt.Sprintf("(no log: %v)", err)}
	}
	return Lines(text, n)
}

// end reads the end of a file, from the beginning of a line on if it has one.
func end(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	if _, err := f.Seek(max(0, size-window), io.SeekStart); err != nil {
		return "", err
	}
	raw, err := io.ReadAll(io.LimitReader(f, window))
	text := string(raw)
	if _, rest, ok := strings.Cut(text, "\n"); size > window && ok && strings.TrimSpace(rest) != "" {
		text = rest
	}
	return text, err
}

// Lines returns the last n lines of a text: without empty ones, without one that
// repeats the line before it, and each cut to 400 characters.
func Lines(text string, n int) []string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(text, "�")) {
		line = strings.TrimRight(line, " \t\r\n")
		if line != "" && (len(lines) == 0 || lines[len(lines)-1] != line) {
			lines = append(lines, line)
		}
	}
	lines = slices.Clone(lines[max(0, len(lines)-n):])
	for i, line := range lines {
		if r := []rune(line); len(r) > widest {
			lines[i] = string(r[:widest]) + "…"
		}
	}
	return lines
}
