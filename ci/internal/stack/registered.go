package stack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// registered returns the names of the components that the package in dir registers, for
// any system: the values of Name in composite literals of a type Registration.
func registered(dir string) (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	constants := map[string]string{}
	var values []ast.Expr
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) {
						if s, ok := text(n.Values[i], nil); ok {
							constants[name.Name] = s
						}
					}
				}
			case *ast.CompositeLit:
				if typ, ok := n.Type.(*ast.SelectorExpr); ok && typ.Sel.Name == "Registration" {
					values = append(values, field(n, "Name")...)
				}
			}
			return true
		})
	}
	for _, value := range values {
		if s, ok := text(value, constants); ok {
			names = append(names, s)
		}
	}
	return names, nil
}

// field returns the value of a field in a composite literal; none if it is not there.
func field(literal *ast.CompositeLit, name string) []ast.Expr {
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == name {
				return []ast.Expr{pair.Value}
			}
		}
	}
	return nil
}

// text is the value of a string literal, or of one of the constants.
func text(value ast.Expr, constants map[string]string) (s string, ok bool) {
	switch value := value.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(value.Value)
		return s, err == nil && value.Kind == token.STRING
	case *ast.Ident:
		s, ok = constants[value.Name]
	}
	return s, ok
}
