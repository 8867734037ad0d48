package tail

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	wide := strings.Repeat("ä", widest+1)
	for name, tt := range map[string]struct {
		text string
		n    int
		want []string
	}{
		"nothing":             {"", 3, nil},
		"blank":               {"\n \n\t\r\n", 3, nil},
		"fewer than asked":    {"a\nb\n", 3, []string{"a", "b"}},
		"more than asked":     {"a\nb\nc\nd", 2, []string{"c", "d"}},
		"empty lines":         {"a\n\n\nb\r\n\n", 2, []string{"a", "b"}},
		"repetitions":         {"a\nb\nb\nb\n", 2, []string{"a", "b"}},
		"indentation":         {"a:\n  b\n", 2, []string{"a:", "  b"}},
		"a wide line":         {wide + "\n", 1, []string{strings.Repeat("ä", widest) + "…"}},
		"bytes of no meaning": {"a\xffb\n", 1, []string{"a�b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Lines(tt.text, tt.n); !slices.Equal(got, tt.want) {
				t.Errorf("Lines(%q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
			}
		})
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	for name, tt := range map[string]struct {
		content string
		n       int
		want    []string
	}{
		"empty": {"", 2, nil},
		"short": {"a\nb\nc\n", 2, []string{"b", "c"}},
		// The window begins in the middle of a line, which is left out.
		"long":            {strings.Repeat("x", window) + "first\nsecond\nthird\n", 9, []string{"second", "third"}},
		"one line alone":  {strings.Repeat("x", window) + "end\n", 1, []string{strings.Repeat("x", widest) + "…"}},
		"no line's break": {"a\nb", 2, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := File(file, tt.n); !slices.Equal(got, tt.want) {
				t.Errorf("File() = %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		got := File(filepath.Join(t.TempDir(), "absent"), 3)
		if len(got) != 1 || !strings.Contains(got[0], "absent") {
			t.Errorf("File(absent) = %q, want a line that names it", got)
		}
	})
}
