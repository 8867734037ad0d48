// Package boundary holds no code. Its tests say which packages of this project may
// import which, and that none of its code imports a program under AGPL-3.0.
package boundary

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/lgtm-lab/lgtm-lab/"

// An edge is one import of a package of this project by a file of it. Packages
// are named by their folders.
type edge struct {
	file     string
	from, to string
	test     bool // the importing file is a test
}

// may lists, for packages at the bottom, all packages of this project that their
// code may import; tests may import more. A package that is not listed must keep only
// the other rules.
var may = map[string][]string{
	"ci/internal/target":       nil,
	"ci/internal/filelock":     nil,
	"ci/internal/cachedir":     nil,
	"ci/internal/registry":     {"ci/internal/cachedir", "ci/internal/filelock", "ci/internal/wait"},
	"ci/internal/images":       {"ci/internal/cachedir", "ci/internal/filelock", "ci/internal/registry"},
	"ci/internal/query":        nil,
	"ci/internal/runid":        nil,
	"ci/internal/facts":        {"ci/internal/runid", "ci/internal/traceparent"},
	"ci/internal/findings":     {"ci/internal/conventions", "ci/internal/facts", "ci/internal/report"},
	"ci/internal/score":        {"ci/internal/conventions", "ci/internal/facts", "ci/internal/report", "ci/internal/score/ucum"},
	"ci/internal/inspector":    {"ci/internal/copies", "ci/internal/facts", "ci/internal/report", "ci/internal/target"},
	"ci/internal/copies":       {"ci/internal/target"},
	"ci/internal/forward":      nil,
	"ci/internal/relay":        nil,
	"ci/internal/interrupt":    nil,
	"ci/internal/labdir":       nil,
	"ci/internal/certificates": {"ci/internal/command", "ci/internal/labdir", "ci/internal/target"},
	"ci/internal/traceview":    {"ci/internal/query"},
	"ci/internal/report":       nil,
	"ci/internal/endpoints":    {"ci/internal/report", "ci/internal/traceparent"},
	"ci/internal/progress":     nil,
	"ci/internal/tail":         nil,
	"ci/internal/gotool":       nil,
	"ci/internal/wait":         nil,
	"ci/internal/sampling":     nil,

	"ci/internal/traceparent": nil,
	"ci/internal/traffic":     {"ci/internal/progress", "ci/internal/report", "ci/internal/traceparent"},
	"ci/internal/snapshot":    {"ci/internal/target", "ci/internal/query", "ci/internal/report", "dashboards"},
	"dashboards":              nil,

	"services/internal/fault":     nil,
	"services/internal/heap":      nil,
	"services/internal/mutualtls": nil,
	"services/internal/telemetry": {"services/internal/mutualtls"},
	"services/internal/users":     nil,
	"services/internal/httpx":     {"services/internal/telemetry"},
	"services/internal/usersql":   {"services/internal/telemetry", "services/internal/users"},
	"services/internal/sqlite":    {"services/internal/fault", "services/internal/telemetry", "services/internal/users", "services/internal/usersql"},
	"services/internal/postgres":  {"services/internal/fault", "services/internal/telemetry", "services/internal/users", "services/internal/usersql"},

	"services/internal/mutualtls/mutualtlstest": {"services/internal/mutualtls"},
	"services/internal/users/storetest":         {"services/internal/users"},
	"services/internal/postgres/postgrestest":   nil,
}

// rules are the boundaries. Each tells whether an import breaks it.
var rules = []struct {
	text   string
	broken func(edge) bool
}{
	{"the services do not import the pipeline: they must run without it", func(e edge) bool {
		return within(e.from, "services") && !within(e.to, "services")
	}},
	{"the pipeline does not import the services: it uses their HTTP API and their telemetry alone, as any user does", func(e edge) bool {
		return !within(e.from, "services") && within(e.to, "services")
	}},
	{"a package at the bottom imports only the packages that this test lists for it", func(e edge) bool {
		allowed, bottom := may[e.from]
		return bottom && !e.test && !slices.Contains(allowed, e.to)
	}},
	{"only the backend has a database", func(e edge) bool {
		return slices.Contains([]string{"services/internal/sqlite", "services/internal/postgres", "services/internal/usersql"}, e.to) &&
			e.from != "services/backend" && !slices.Contains(may[e.from], e.to) && e.from != e.to
	}},
	{"a package for tests is imported by tests alone", func(e edge) bool {
		return strings.HasSuffix(path.Base(e.to), "test") && !e.test
	}},
}

// within tells whether a package is in a folder.
func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func TestBoundaries(t *testing.T) {
	edges, packages := imports(t)
	if len(edges) == 0 {
		t.Fatal("no package of the project imports another: the project was not found")
	}
	for _, e := range edges {
		for _, r := range rules {
			if r.broken(e) {
				t.Errorf("%s: imports %s\n\tthe rule: %s", e.file, e.to, r.text)
			}
		}
	}
	for pkg := range may {
		if !packages[pkg] {
			t.Errorf("this test has a rule for %s, which is not there", pkg)
		}
	}
	for pkg := range packages {
		if _, listed := may[pkg]; within(pkg, "services/internal") && !listed {
			t.Errorf("%s: say in this test what it may import", pkg)
		}
	}
}

// imports reads the imports of every file of the module that is the project's own.
func imports(t *testing.T) (edges []edge, packages map[string]bool) {
	t.Helper()
	root := moduleRoot(t)
	packages = map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			if file != root && (err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir // another module, or no Go of ours
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		packages[path.Dir(rel)] = true
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if to, ours := strings.CutPrefix(name, module); ours && to != path.Dir(rel) {
				edges = append(edges, edge{rel, path.Dir(rel), to, strings.HasSuffix(rel, "_test.go")})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return edges, packages
}

// moduleRoot is the folder of this module's go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if raw, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.Contains(string(raw), "module "+strings.TrimSuffix(module, "/")+"\n") {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatalf("no go.mod of %s above this test", module)
		}
		dir = up
	}
}

// TestRules shows each rule an import that breaks it, and some that break none.
func TestRules(t *testing.T) {
	broken := []edge{
		{from: "services/internal/httpx", to: "ci/internal/report"},
		{from: "ci/internal/verify", to: "services/internal/users", test: true},
		{from: "ci/internal/report", to: "ci/internal/target"},
		{from: "services/frontend", to: "services/internal/sqlite"},
		{from: "ci/internal/verify", to: "ci/internal/endpoints/labtest"},
	}
	if len(broken) != len(rules) {
		t.Fatalf("%d examples of %d rules", len(broken), len(rules))
	}
	for i, r := range rules {
		if !r.broken(broken[i]) {
			t.Errorf("%s imports %s, and the rule %q holds", broken[i].from, broken[i].to, r.text)
		}
	}
	for _, e := range []edge{
		{from: "ci/lab", to: "ci/internal/verify"},
		{from: "ci/internal/traffic", to: "ci/internal/report"},
		{from: "ci/internal/traffic", to: "ci/internal/endpoints/labtest", test: true},
		{from: "services/backend", to: "services/internal/sqlite"},
	} {
		for _, r := range rules {
			if r.broken(e) {
				t.Errorf("%s imports %s, and the rule %q is broken", e.from, e.to, r.text)
			}
		}
	}
}
