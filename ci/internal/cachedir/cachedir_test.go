package cachedir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "cache")
	if Marked(dir) {
		t.Error("a folder that is not there has the mark")
	}
	for range 2 { // the second time it is there
		if err := Make(dir); err != nil {
			t.Fatal(err)
		}
	}
	if !Marked(dir) {
		t.Error("the folder has no mark")
	}
	content, err := os.ReadFile(filepath.Join(dir, TagFile))
	// What the specification says of the first 43 bytes.
	if want := "Signature: 8a477f597d28d172789f06886806bc55"; err != nil || !strings.HasPrefix(string(content), want) {
		t.Errorf("the tag is %q (%v), want %q at its beginning", content, err, want)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Make(file); err == nil || Marked(file) {
		t.Errorf("Make() of a file = %v", err)
	}
}
