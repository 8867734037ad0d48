package boundary

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unordered returns the lines of a file that return a variable beside a call that is
// given its address: `return x, f(&x)`. Go does not say whether x is read before the
// call or after it.
func unordered(file string, source any) (lines []int, err error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		ret, ok := n.(*ast.ReturnStmt)
		if !ok {
			return true
		}
		for i, result := range ret.Results {
			x, ok := result.(*ast.Ident)
			if !ok {
				continue
			}
			for j, other := range ret.Results {
				if i != j && callsWith(other, x.Name) {
					lines = append(lines, set.Position(ret.Pos()).Line)
				}
			}
		}
		return true
	})
	return lines, nil
}

// callsWith tells whether an expression calls a function with the address of x.
func callsWith(e ast.Expr, x string) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		found = found || slices.ContainsFunc(call.Args, func(arg ast.Expr) bool {
			address, ok := arg.(*ast.UnaryExpr)
			if !ok || address.Op != token.AND {
				return false
			}
			name, ok := address.X.(*ast.Ident)
			return ok && name.Name == x
		})
		return true
	})
	return found
}

// No function relies on an order of evaluation that Go does not promise.
func TestNoReturnReliesOnEvaluationOrder(t *testing.T) {
	root := moduleRoot(t)
	looked := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && file != root {
			return filepath.SkipDir
		}
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, ".gen.go") {
			return nil
		}
		looked++
		lines, err := unordered(file, nil)
		for _, line := range lines {
			t.Errorf("%s:%d: returns a variable beside a call that changes it: call first, then return", file, line)
		}
		return err
	})
	if err != nil || looked < 100 {
		t.Fatalf("looked at %d files: %v", looked, err)
	}
}

func TestUnorderedIsFound(t *testing.T) {
	const source = `package a
func bad() (int, error)  { var x int; return x, f(&x) }
func deep() (int, bool)  { var x int; return x, f(&x) == nil && x > 0 }
func good() (int, error) { var x int; err := f(&x); return x, err }
func other() (int, error) { var x, y int; return y, f(&x) }
func one() error { var x int; return f(&x) }
`
	lines, err := unordered("a.go", source)
	if err != nil || !slices.Equal(lines, []int{2, 3}) {
		t.Errorf("found lines %v, %v; want 2 and 3", lines, err)
	}
}
