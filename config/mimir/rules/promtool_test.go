package rules

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// promtool returns the path of promtool, which ci/tools/promtool pins and Go compiles.
// That takes some minutes the first time. It is compiled without service discovery, which
// is most of its code.
var promtool = sync.OnceValues(func() (string, error) {
	// `go test` notes which files a test opens. So a new version of promtool makes cached
	// results invalid.
	if err := filepath.WalkDir("../../../ci/tools/promtool", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "tool", "-modfile=../../../ci/tools/promtool/go.mod", "-n", "promtool")
	cmd.Env = append(os.Environ(), "GOFLAGS=-tags=remove_all_sd")
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, problem.String())
	}
	return strings.TrimSpace(string(out)), nil
})

func needPromtool(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles promtool")
	}
	path, err := promtool()
	if err != nil {
		t.Skipf("no promtool: GOFLAGS=-tags=remove_all_sd go tool -modfile=ci/tools/promtool/go.mod promtool --version: %v", err)
	}
	return path
}

// ruleTests runs promtool on the named files in the folder's tests/.
func ruleTests(path, folder string, names ...string) (output string, err error) {
	args := []string{"test", "rules"}
	for _, name := range names {
		args = append(args, filepath.Join(folder, "tests", name))
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

// testsOf has the tests of each rule file.
var testsOf = map[string][]string{
	"losses.yaml":  {"losses_test.yaml"},
	SampleServices: {"sample_services_test.yaml"},
	Services:       {"service_test.yaml", "service_slow_test.yaml"},
	"stack.yaml":   {"stack_test.yaml"},
}

// The files in tests/ pass, and promtool's linter accepts every rule.
func TestPromtool(t *testing.T) {
	path := needPromtool(t)
	names, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, names...)...).CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
	have := map[string]bool{}
	for _, name := range names {
		for _, test := range testsOf[name] {
			have[test] = true
			if out, err := ruleTests(path, ".", test); err != nil {
				t.Errorf("%s: %v\n%s", test, err, out)
			}
		}
	}
	found, err := os.ReadDir("tests")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if !have[f.Name()] {
			t.Errorf("nothing runs tests/%s", f.Name())
		}
	}
}

// The tests of the rules must notice mistakes. So this test breaks each alert in every way
// that breakages knows, one at a time, and expects a test to fail.
func TestPromtoolNoticesEveryBrokenAlert(t *testing.T) {
	path := needPromtool(t)
	groups, err := All()
	if err != nil {
		t.Fatal(err)
	}
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for gi, g := range groups {
		for ri, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			for what, broken := range breakages(t, r) {
				t.Run(fmt.Sprintf("%s %d/%s", r.Alert, ri, what), func(t *testing.T) {
					t.Parallel()
					limit <- struct{}{}
					defer func() { <-limit }()
					folder := t.TempDir()
					writeRules(t, folder, g.File, groups, gi, ri, broken)
					var out string
					var err error
					// One file after another: the slow ones only if the others noticed nothing.
					for _, name := range writeTests(t, folder, testsOf[g.File], r.Alert) {
						if out, err = ruleTests(path, folder, name); err != nil {
							break
						}
					}
					if err == nil {
						t.Errorf("no test notices\n%s\nfor %v\n%s", broken.Expr, broken.For, out)
					} else if !strings.Contains(out, "FAILED") {
						t.Errorf("promtool: %v\n%s", err, out)
					}
				})
			}
		}
	}
}

// breakages returns copies of the rule with one change each, by the name of the change: to
// its `for`, to a threshold, to an operand of `and`, `or` or `unless`.
func breakages(t *testing.T, r Rule) map[string]Rule {
	t.Helper()
	all := map[string]Rule{}
	change := func(what string, f func(*Rule)) {
		broken := r
		f(&broken)
		if broken.Expr != r.Expr || broken.For != r.For {
			all[what] = broken
		}
	}
	change("never", func(r *Rule) { r.Expr = "vector(1) > 2" })
	if r.For > 0 {
		change("waits longer", func(r *Rule) { r.For += time.Second })
		change("waits less", func(r *Rule) { r.For /= 2 })
	}
	for n := range binaries(parse(t, r.Expr)) {
		for _, what := range []string{"left", "right", "twice", "half"} {
			// Parse again: each change is to a fresh tree.
			root := &parser.ParenExpr{Expr: parse(t, r.Expr)}
			spot := binaries(root)[n]
			if spot.apply(what) {
				change(fmt.Sprintf("%s of operator %d", what, n), func(r *Rule) { r.Expr = root.String() })
			}
		}
	}
	return all
}

// A spot is a binary operator in an expression, with a function that replaces it.
type spot struct {
	*parser.BinaryExpr
	replace func(parser.Expr)
}

// apply changes the expression and reports whether the change is possible.
func (s spot) apply(what string) bool {
	number, hasNumber := constant(s.RHS)
	switch {
	case s.Op.IsSetOperator() && what == "left":
		s.replace(s.LHS)
	case s.Op.IsSetOperator() && what == "right":
		s.replace(s.RHS)
	case s.Op.IsComparisonOperator() && hasNumber && number != 0 && what == "twice":
		s.RHS = &parser.NumberLiteral{Val: number * 2}
	case s.Op.IsComparisonOperator() && hasNumber && number != 0 && what == "half":
		s.RHS = &parser.NumberLiteral{Val: number / 2}
	default:
		return false
	}
	return true
}

// constant evaluates a number, or a product of numbers.
func constant(e parser.Expr) (float64, bool) {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.BinaryExpr:
		left, ok := constant(e.LHS)
		right, also := constant(e.RHS)
		return left * right, ok && also && e.Op == parser.MUL
	}
	return 0, false
}

// binaries returns the binary operators of an expression that are outside of calls and
// aggregations.
func binaries(e parser.Expr) (all []spot) {
	var walk func(parser.Expr, func(parser.Expr))
	walk = func(e parser.Expr, replace func(parser.Expr)) {
		switch e := e.(type) {
		case *parser.ParenExpr:
			walk(e.Expr, func(by parser.Expr) { e.Expr = by })
		case *parser.BinaryExpr:
			all = append(all, spot{e, replace})
			walk(e.LHS, func(by parser.Expr) { e.LHS = by })
			walk(e.RHS, func(by parser.Expr) { e.RHS = by })
		}
	}
	walk(e, func(parser.Expr) {})
	return all
}

// writeRules writes a rule file with one rule replaced to the folder.
func writeRules(t *testing.T, folder, name string, groups []Group, group, rule int, by Rule) {
	t.Helper()
	var file ruleFile
	for gi, g := range groups {
		if g.File != name {
			continue
		}
		out := fileGroup{Name: g.Name, Interval: model.Duration(g.Interval).String()}
		for ri, r := range g.Rules {
			if gi == group && ri == rule {
				r = by
			}
			out.Rules = append(out.Rules, fileRule{Record: r.Record, Alert: r.Alert, Expr: r.Expr,
				For: model.Duration(r.For).String(), Labels: r.Labels, Annotations: r.Annotations})
			if r.Record != "" {
				out.Rules[ri].For = ""
			}
		}
		file.Groups = append(file.Groups, out)
	}
	raw, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeTests copies the tests that mention the alert to the folder, and returns the names
// of their files.
func writeTests(t *testing.T, folder string, names []string, alert string) (written []string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(folder, "tests"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join("tests", name))
		if err != nil {
			t.Fatal(err)
		}
		var file map[string]any
		if err := yaml.Unmarshal(raw, &file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tests, _ := file["tests"].([]any)
		file["tests"] = slices.DeleteFunc(tests, func(test any) bool { return !strings.Contains(fmt.Sprint(test), alert) })
		if len(file["tests"].([]any)) == 0 {
			continue
		}
		if raw, err = yaml.Marshal(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "tests", name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
		written = append(written, name)
	}
	return written
}
