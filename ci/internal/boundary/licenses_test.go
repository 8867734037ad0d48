package boundary

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// agpl are the modules of the programs under AGPL-3.0 that the lab runs. Modules
// whose names only begin alike, such as grafana-foundation-sdk and
// mimir-prometheus, have permissive licenses.
var agpl = []string{
	"github.com/grafana/grafana", "github.com/grafana/loki", "github.com/grafana/mimir", "github.com/grafana/tempo",
}

// isAGPL tells whether an import path or a module is one of those, or within one.
func isAGPL(name string) bool {
	return slices.ContainsFunc(agpl, func(module string) bool { return within(name, module) })
}

// pins are the go.mod files that exist to compile those programs on the user's
// machine. docs/licenses.md says more.
var pins = []string{"ci/stack/alloy/go.mod", "ci/stack/loki/go.mod", "ci/stack/mimir/go.mod", "ci/stack/tempo/go.mod"}

// A licenceFault is a file, and a package or module in it that it must not name.
type licenceFault struct{ file, name string }

// licenceFaults looks at every Go file and go.mod below a folder, in whatever
// module. looked counts the files.
func licenceFaults(root string) (faults []licenceFault, looked int, err error) {
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." {
				return filepath.SkipDir // git's, and a lab's data
			}
			return nil
		}
		var names []string
		switch {
		case d.Name() == "go.mod":
			names, err = requirements(file)
			if slices.Contains(pins, rel) {
				names = nil
			}
		case filepath.Ext(file) == ".go":
			names, err = importsOf(file)
		default:
			return nil
		}
		looked++
		for _, name := range names {
			if isAGPL(name) {
				faults = append(faults, licenceFault{rel, name})
			}
		}
		return err
	})
	return faults, looked, err
}

// requirements are the modules that a go.mod names, as a requirement, a tool or a
// replacement.
func requirements(file string) ([]string, error) {
	cmd := exec.Command("go", "mod", "edit", "-json", filepath.Base(file))
	cmd.Dir = filepath.Dir(file)
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: go mod edit -json: %w", file, err)
	}
	type named struct{ Path string }
	var mod struct {
		Require, Tool []named
		Replace       []struct{ New named }
	}
	if err := json.Unmarshal(raw, &mod); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var names []string
	for _, n := range append(mod.Require, mod.Tool...) {
		names = append(names, n.Path)
	}
	for _, r := range mod.Replace {
		names = append(names, r.New.Path)
	}
	return names, nil
}

// importsOf are the packages that a Go file imports.
func importsOf(file string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// No source file imports a package of an AGPL program, and only the pins require one.
func TestLicensesAreKeptApart(t *testing.T) {
	root := moduleRoot(t)
	faults, looked, err := licenceFaults(root)
	if err != nil {
		t.Fatal(err)
	}
	if looked < 100 {
		t.Fatalf("looked at %d files: the project was not found", looked)
	}
	for _, f := range faults {
		t.Errorf("%s names %s, which is AGPL-3.0: see docs/licenses.md", f.file, f.name)
	}
	for _, pin := range pins {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(pin))); err != nil {
			t.Errorf("this test has an exception for a pin that is not there: %v", err)
		}
	}
}

// Each way to take in such a package is found, in every module, and nothing else is.
func TestLicenceFaultsAreFound(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go":                "package a\nimport _ \"github.com/grafana/loki/v3/pkg/logql/syntax\"\n",
		"a/a_test.go":           "package a\nimport _ \"github.com/grafana/tempo/pkg/traceql\"\n",
		"b/go.mod":              "module b\nrequire github.com/grafana/mimir v1.0.0 // indirect\n",
		"c/go.mod":              "module c\ntool github.com/grafana/grafana/pkg/cmd/grafana\n",
		"d/go.mod":              "module d\nreplace example.com/x => github.com/grafana/loki/v3 v3.0.0\n",
		"ci/stack/loki/main.go": "package main\nimport _ \"github.com/grafana/loki/v3/cmd/loki\"\n",
		"ci/stack/loki/go.mod":  "module p\nrequire github.com/grafana/loki/v3 v3.0.0\n",
		"ci/stack/other/go.mod": "module o\nrequire github.com/grafana/loki/v3 v3.0.0\n",
		"good/a.go":             "package a\nimport (\n_ \"github.com/grafana/grafana-foundation-sdk/go/loki\"\n_ \"github.com/grafana/regexp\"\n)\n",
		"good/go.mod":           "module g\nrequire (\ngithub.com/grafana/mimir-prometheus v1.0.0\ngithub.com/grafana/dskit v0.1.0\n)\n",
		".lab/x.go":             "package x\nimport _ \"github.com/grafana/loki/v3\"\n",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	faults, _, err := licenceFaults(root)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range faults {
		files = append(files, f.file)
	}
	slices.Sort(files)
	want := []string{"a/a.go", "a/a_test.go", "b/go.mod", "c/go.mod", "ci/stack/loki/main.go", "ci/stack/other/go.mod", "d/go.mod"}
	if !slices.Equal(files, want) {
		t.Errorf("found in %v, want %v", files, want)
	}
}
