package cases

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// one loads one file with the given content and returns its problems, without the path.
func one(t *testing.T, content string) ([]Case, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "case.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	found, problems := Load([]string{path})
	var texts []string
	for _, p := range problems {
		texts = append(texts, strings.TrimPrefix(p.Error(), path))
	}
	return found, texts
}

// bomb is a file of a kilobyte that stands for 9 to the power of 12 values.
func bomb() string {
	var b strings.Builder
	b.WriteString("name: bomb\nexpected: {}\na0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		alias := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Join([]string{alias, alias, alias, alias, alias, alias, alias, alias, alias}, ","))
	}
	return b.String()
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, want string }{
		"10 MB":           {"name: x\nexpected:\n" + strings.Repeat("  # x\n", 2_000_000), ": has more than 1 MiB"},
		"alias bomb":      {bomb(), ": the file stands for more than 100000 values"},
		"recursive alias": {"name: x\nexpected: &e\n  traces: [{traceql: '{}', match: [*e]}]\n", ":3:36: the alias *e stands for a value that it is a part of"},
		"merge loop":      {"name: x\nexpected: &e\n  <<: *e\n", ":3:7: the alias *e stands for a value that it is a part of"},
		"merge of text":   {"name: x\nexpected:\n  <<: up\n", ":3:7: << merges a mapping; this is the text \"up\""},
		"tabs":            {"name: x\nexpected:\n\ttraces: []\n", ":3:1: a tab indents this line; YAML wants spaces"},
		"not UTF-8":       {"name: x\nexpected: \xe9\n", ":2:1: is not UTF-8 text"},
		"empty":           {"", ": is empty; a case needs the keys name and expected"},
		"only comments":   {"# nothing\n---\n", ": is empty; a case needs the keys name and expected"},
		"two documents":   {"name: x\nexpected: {logs: [{logql: x}]}\n---\nname: y\n", ":3:1: a second document begins here"},
		"bad second":      {"name: x\nexpected: {logs: [{logql: x}]}\n---\n{{ y }\n", "is not YAML"},
		"list":            {"- a\n", ":1:1: is a list; a case is a mapping"},
		"duplicate key":   {"name: x\nexpected:\n  logs: []\n  logs: []\n", ":4:3: the key logs is there twice; its first place is line 3"},
		"key of a list":   {"[a, b]: x\n", ":1:1: a list is no key; a key is a word"},
		"unquoted >=":     {"name: x\nexpected:\n  logs:\n    - logql: a\n      count: >= 1\n", ":5:14: a comparison with > needs quotes, such as '>= 1'"},
		"no YAML":         {"name: [x\nexpected: {}\n", "is not YAML: did not find expected"},
		"nothing":         {"name: x\nexpected: {traces: []}\n", ":2:11: expected: expects nothing"},
		"no name":         {"name: ' '\nexpected: {logs: [{logql: x}]}\n", ":1:7: name: is empty"},
		"no expected":     {"name: x\n", ":1:1: the key expected is missing"},
		"no value":        {"name: x\nexpected: {logs: [{logql: x, contains: }]}\n", "expected.logs[0].contains: is empty; it must be text or a list of texts"},
		"seed of nothing": {"name: x\nseed: {type: inline-otlp}\nexpected: {logs: [{logql: x}]}\n", ":2:7: seed: inline-otlp needs at least one trace, log or metric to send"},
		"seed unsent":     {"name: x\nseed: {logs: [{service: a, body: b}]}\nexpected: {logs: [{logql: x}]}\n", "seed: has telemetry to send; write type: inline-otlp"},
		"no input":        {"name: x\nexpected: {complete: {traces}}\n", "expected.complete: needs an input with a request"},
		"complete of nil": {"name: x\ninput: {path: /}\nexpected: {complete: {traces: false}}\n", "expected.complete: asks for nothing"},
		"relative path":   {"name: x\ninput: [{path: users}]\nexpected: {logs: [{logql: x}]}\n", "input[0].path: must begin with /"},
		"no path":         {"name: x\ninput: [{method: POST}]\nexpected: {logs: [{logql: x}]}\n", "input[0]: the key path is missing"},
		"two inputs":      {"name: x\nfixture: {compose: {file: a}}\ninput: [{path: /, compose: {service: a, command: [b]}}]\nexpected: {logs: [{logql: x}]}\n", "input[0].path: does not go with compose"},
		"no containers":   {"name: x\ninput: [{compose: {service: a, command: [b]}}]\nexpected: {logs: [{logql: x}]}\n", "input[0].compose: needs a fixture of kind compose"},
		"file and files":  {"name: x\nfixture: {compose: {file: a, files: [b]}}\nexpected: {logs: [{logql: x}]}\n", "fixture.compose: has file and files"},
		"nothing to run":  {"name: x\nfixture: {compose: {template: none}}\nexpected: {logs: [{logql: x}]}\n", "fixture.compose: template none needs file or files"},
		"run in fixture":  {"name: x\nrun: a\nfixture: {compose: {file: b}}\nexpected: {logs: [{logql: x}]}\n", "run: a case has an application as a command or in a fixture, not both"},
		"attribute twice": {"name: x\nexpected: {logs: [{logql: x, match: [{attributes: [{key: a}, {key: a}]}]}]}\n", "expected.logs[0].match[0].attributes[1]: the attribute a is there twice"},
		"match of all":    {"name: x\nexpected: {logs: [{logql: x, match: [{match_type: strict}]}]}\n", "expected.logs[0].match[0]: is true of every row"},
		"no number":       {"name: x\nexpected: {logs: [{logql: x, count: '>= many'}]}\n", `expected.logs[0].count: ">= many" compares with "many", which is not a number`},
		"v2 absent":       {"oats-schema-version: 2\nexpected: {logs: [{logql: x, equals: y, count: {min: 0, max: 0}}]}\n", "expected.logs[0].count: with min 0 and max 0 nothing may be found"},
		"v2 key":          {"oats-schema-version: 2\nexpected: {logs: [{logql: x, equal: y}]}\n", "the key equal is unknown; the nearest known key is equals"},
		"v1":              {"oats-schema-version: 1\nexpected: {logs: [{logql: x}]}\n", ":1:22: oats-schema-version: is the number 1; it must be 2"},
		"v2 self include": {"oats-schema-version: 2\nexpected: {logs: [{logql: x}]}\ninclude: [case.yaml]\n", "include[0]: case.yaml is no template"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, problems := one(t, c.content)
			if len(found) > 0 || len(problems) != 1 || !strings.Contains(problems[0], c.want) {
				t.Errorf("Load: cases %v, problems\n%s\nwant one with %q", found, strings.Join(problems, "\n"), c.want)
			}
		})
	}
}

func TestTemplatesInALoop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, include := range map[string]string{"a": "b", "b": "a"} {
		write(t, filepath.Join(dir, name+".yaml"), "oats-schema-version: 2\noats-template: true\ninclude: ["+include+".yaml]\n")
	}
	path := filepath.Join(dir, "case.yaml")
	write(t, path, "oats-schema-version: 2\ninclude: [a.yaml]\nexpected: {logs: [{logql: x, equals: y}]}\n")
	if _, problems := Load([]string{path}); len(problems) != 1 || !strings.Contains(problems[0].Error(), "includes itself by way of others") {
		t.Errorf("problems %v, want one about the loop", problems)
	}
}

// Every key at every level is checked, each problem has its own line and column, and names
// the nearest known key. The goldens are read by people, too.
func TestGoldenProblems(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"keys", "types", "regex"} {
		path := filepath.Join("testdata", "bad", name+".yaml")
		_, problems := Load([]string{path})
		var got strings.Builder
		for _, p := range problems {
			fmt.Fprintln(&got, filepath.ToSlash(p.Error()))
		}
		golden := filepath.Join("testdata", "bad", name+".golden")
		if *update {
			write(t, golden, got.String())
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ReplaceAll(string(want), "\r\n", "\n") != got.String() {
			t.Errorf("%s: problems\n%s\nwant\n%s", name, got.String(), want)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"traces", "logs", "metrics", "compose-logs", "match_spans"}
	for word, want := range map[string]string{
		"tracs": "traces", "Traces": "traces", "log": "logs", "compose_logs": "compose-logs", "matchSpans": "match_spans",
		"metric": "metrics", "zebra": "", "": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
