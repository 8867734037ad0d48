package target

import (
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
