package application

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// interpreters run a program that one of their arguments names.
var interpreters = regexp.MustCompile(`^(node|nodejs|deno|bun|python[0-9.]*|ruby|php[0-9.]*|perl|java|dotnet|sh|bash|zsh|tsx|ts-node)$`)

// Name returns a name for the application that the command starts: that of the program,
// or of the script where the program is an interpreter. `node app.js` is app, `go run
// ./cmd/shop` is shop.
func Name(args []string) string {
	if len(args) == 0 {
		return ""
	}
	name := base(args[0])
	rest := args[1:]
	switch {
	case name == "go" && len(rest) > 1 && rest[0] == "run":
		rest = rest[1:]
	case !interpreters.MatchString(name):
		return name
	}
	if slices.Contains(rest, "-c") || slices.Contains(rest, "-e") { // the script is an argument itself
		return name
	}
	for _, arg := range rest {
		if strings.HasPrefix(arg, "-") || arg == "run" || strings.Contains(arg, "/register") {
			continue
		}
		if arg == "." {
			if dir, err := filepath.Abs(arg); err == nil {
				return filepath.Base(dir)
			}
		}
		return base(arg)
	}
	return name
}

// base is the last part of a path, in either system's way, without its extension.
func base(path string) string {
	path = strings.ReplaceAll(path, `\`, "/")
	path = strings.TrimRight(path, "/")
	path = path[strings.LastIndexByte(path, '/')+1:]
	if ext := filepath.Ext(path); ext != "" && ext != path {
		path = strings.TrimSuffix(path, ext)
	}
	return path
}
