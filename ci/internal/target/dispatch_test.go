package target

import (
	"strings"
	"testing"
)

func TestFindJSON(t *testing.T) {
	for _, test := range []struct{ output, doc, rest string }{
		{"{\n  \"ok\": true\n}\n", "{\n  \"ok\": true\n}", "\n"},
		{"lab: a remark\n{\n  \"a\": {\n  }\n}\nlab: another\n", "{\n  \"a\": {\n  }\n}", "lab: a remark\n\nlab: another\n"},
		{"lab: nothing works\n", "", "lab: nothing works\n"},
		{"{\n  \"cut\": \n", "", "{\n  \"cut\": \n"},
		{"", "", ""},
	} {
		doc, rest := findJSON([]byte(test.output))
		if string(doc) != test.doc || string(rest) != test.rest {
			t.Errorf("findJSON(%q) = %q, %q, want %q, %q", test.output, doc, rest, test.doc, test.rest)
		}
	}
}

// A command that fails inside the target says so in its own words.
func TestDecodeOfAFailure(t *testing.T) {
	var into struct{}
	err := decode(Executed{Output: []byte("lab: the inspector has seen nothing\n"), ExitCode: 1}, "score", nil, &into)
	if err == nil || err.Error() != "the inspector has seen nothing" {
		t.Errorf("decode = %v", err)
	}
	if err := decode(Executed{Output: []byte("panic: nil\n"), ExitCode: 2}, "score", nil, &into); err == nil || !strings.Contains(err.Error(), "exit code 2") || !strings.Contains(err.Error(), "panic: nil") {
		t.Errorf("decode of a crash = %v", err)
	}
}
