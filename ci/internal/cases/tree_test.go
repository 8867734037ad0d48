package cases

import (
	"strings"
	"testing"
)

func TestParseTree(t *testing.T) {
	t.Parallel()
	tree, _, err := ParseTree(`
# a comment
frontend: GET /users/{id} [server] {http.route="/users/{id}", url.path=/users/…}
  frontend: GET [CLIENT]
      "a: b": "GET [client]"
      …
  backend:v2: SELECT {id} … {db.query.text="SELECT a, b", error=}
worker: job
...
`)
	if err != nil {
		t.Fatal(err)
	}
	root := tree.Roots[0]
	if len(tree.Roots) != 2 || !tree.More || root.More || len(root.Children) != 2 || root.Line != 3 {
		t.Fatalf("tree %+v", tree)
	}
	if root.Service.Text != "frontend" || root.Name.Text != "GET /users/{id}" || root.Kind != "server" {
		t.Errorf("root %+v", root)
	}
	if a := root.Attributes; len(a) != 2 || a[0].Value.Text != "/users/{id}" || !a[1].Value.Matches("/users/7") || a[1].Value.Matches("/other") {
		t.Errorf("attributes %+v", a)
	}
	client := root.Children[0]
	if client.Kind != "client" || !client.More || client.Children[0].Service.Text != "a: b" || client.Children[0].Name.Text != "GET [client]" {
		t.Errorf("client %+v", client)
	}
	database := root.Children[1]
	if database.Service.Text != "backend:v2" || !database.Name.Matches("SELECT {id} x\ny") || database.Kind != "" {
		t.Errorf("database %+v", database)
	}
	if a := database.Attributes; len(a) != 2 || a[0].Value.Text != "SELECT a, b" || a[1].Key != "error" || a[1].Value.Text != "" {
		t.Errorf("attributes %+v", a)
	}
}

func TestParseTreeRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                     "the tree has no span",
		"# nothing":            "the tree has no span",
		"…":                    "the tree has no span",
		"frontend":             "is no span",
		"a: b [servr]":         "[servr] is no kind of span",
		"a: \"b":               "a quote that does not end",
		"a: b\n\tc: d":         "a tab indents this line",
		"a:b":                  "is no span",
		"a: b\n  c: d\n  : \n": "is no span",
	} {
		if _, _, err := ParseTree(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTree(%q): %v, want %q", text, err, want)
		}
	}
}

// What QuoteShape writes, ParseTree reads as it was.
func TestQuoteShape(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"GET /users/{id}", "GET {id}", "a [server]", "a: b", " a", "a ", "…", "a...b", `"quoted"`, "x {a=b}", "a,b", "a}", "#x", "a:", "line\nbreak", "日本", `back\slash`,
	} {
		line := QuoteShape(text, false) + ": " + QuoteShape(text, false) + " [server] {k=" + QuoteShape(text, true) + ", j=1}"
		tree, _, err := ParseTree(line)
		if err != nil {
			t.Errorf("%q: %s: %v", text, line, err)
			continue
		}
		s := tree.Roots[0]
		if s.Service.Text != text || s.Name.Text != text || s.Kind != "server" || len(s.Attributes) != 2 || s.Attributes[0].Value.Text != text || s.Name.pattern != nil {
			t.Errorf("%q: %s was read as %+v", text, line, s)
		}
	}
}

func FuzzParseTree(f *testing.F) {
	f.Add("a: b [server] {k=v}\n  …")
	f.Fuzz(func(_ *testing.T, text string) { _, _, _ = ParseTree(text) })
}
