package images

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
)

// golang searches the string literals of a Go file. The argument of a method called
// From is an image, whatever the string looks like: Dagger's containers begin so.
func (c *checker) golang(file string, data []byte) error {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil //nolint:nilerr // go build reports it, and code that does not compile pulls no image
	}
	if ast.IsGenerated(parsed) {
		return nil
	}
	images := map[*ast.BasicLit]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			if ok && method.Sel.Name == "From" && len(n.Args) > 0 {
				if lit, ok := n.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					images[lit] = true
				}
			}
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			if n.Kind != token.STRING || err != nil {
				return true
			}
			line := files.Position(n.Pos()).Line
			if images[n] {
				c.judge(file, line, text)
			} else {
				c.text(file, line, text)
			}
		}
		return true
	})
	return nil
}
