package cases

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ConfigName is the name of the file that names a project's cases.
const ConfigName = "oats-config.yaml"

// defaultDuration is that of a seed's span.
const defaultDuration = 200 * time.Millisecond

// Load reads the cases of files and folders, in the order given; of a folder, in the order
// of paths. Without a path it reads the configuration of the working directory or of the
// nearest folder above that has one.
//
// A folder's cases are those that its oats-config.yaml names, or, without one, all files
// below it with the key expected or oats-schema-version at their beginning of a line.
// Hidden folders, node_modules and folders with a file .oatsignore are left out.
//
// What is wrong with a file is a problem; the cases of the other files are still returned.
func Load(paths []string) ([]Case, []Problem) {
	l := loader{seen: map[string]bool{}}
	if len(paths) == 0 {
		config, err := findConfig()
		if err != nil {
			return nil, []Problem{{At: Position{File: ConfigName}, Message: err.Error()}}
		}
		paths = []string{config}
	}
	for _, path := range paths {
		l.path(filepath.Clean(path))
	}
	return l.cases, l.problems
}

// findConfig looks for the configuration in the working directory and above it.
func findConfig() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for up := ""; ; up = filepath.Join(up, "..") {
		if _, err := os.Stat(filepath.Join(dir, ConfigName)); err == nil {
			return filepath.Join(up, ConfigName), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("is neither in this folder nor in one above it; name a case file or a folder with cases")
		}
		dir = parent
	}
}

type loader struct {
	reader
	cases []Case
	// seen are the files that have been read: globs and folders may overlap.
	seen map[string]bool
}

func (l *loader) fail(path, format string, args ...any) {
	l.problems = append(l.problems, Problem{At: Position{File: path}, Message: fmt.Sprintf(format, args...)})
}

func (l *loader) path(path string) {
	info, err := os.Stat(path)
	if err != nil {
		l.fail(path, "%s", reason(err))
		return
	}
	if !info.IsDir() {
		l.file(path, nil, true)
		return
	}
	before, wrong := len(l.cases), len(l.problems)
	if err := filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			l.fail(at, "%s", reason(err))
			return nil
		case entry.IsDir():
			return l.folder(at, at == path)
		case isYAML(at) && looksLikeCase(at):
			l.file(at, nil, false)
		}
		return nil
	}); err != nil {
		l.fail(path, "%s", reason(err))
	}
	if len(l.cases) == before && len(l.problems) == wrong {
		l.fail(path, "has no case: no file below it has the key expected; lab check --init writes a first one")
	}
}

// folder says whether to look into a folder, and reads its configuration instead where it
// has one.
func (l *loader) folder(path string, asked bool) error {
	if name := filepath.Base(path); !asked && (strings.HasPrefix(name, ".") || name == "node_modules") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, ".oatsignore")); err == nil && !asked {
		return filepath.SkipDir
	}
	if config := filepath.Join(path, ConfigName); isFile(config) {
		l.file(config, nil, true)
		return filepath.SkipDir
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isYAML(path string) bool {
	extension := strings.ToLower(filepath.Ext(path))
	return extension == ".yaml" || extension == ".yml"
}

// caseKey is a key of a case at the beginning of a line. Other YAML files of a project,
// such as manifests with templates in them, need not even be YAML.
var caseKey = regexp.MustCompile(`(?m)^(expected|oats-schema-version)\s*:`)

func looksLikeCase(path string) bool {
	data, problem := readFile(path)
	return problem == nil && caseKey.Match(data)
}

// file reads a case file or a configuration. asked says that somebody has named the file.
func (l *loader) file(path string, tags []string, asked bool) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		absolute = path
	}
	if l.seen[absolute] {
		return
	}
	l.seen[absolute] = true
	root, problem := readDocument(path)
	if problem != nil {
		l.problems = append(l.problems, *problem)
		return
	}
	if grammarOf(root) == configFile {
		l.config(path, root)
		return
	}
	wrong := len(l.problems)
	found := l.casesOf(path, root, tags)
	slices.SortStableFunc(l.problems[wrong:], func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.At.File, b.At.File), a.At.Line-b.At.Line, a.At.Column-b.At.Column)
	})
	if len(found) == 0 && len(l.problems) == wrong && asked {
		l.fail(path, "is a template (oats-template: true): other files include it, and it is no case")
	}
	l.cases = append(l.cases, found...)
}

// config reads the cases that a configuration names.
func (l *loader) config(path string, root *yaml.Node) {
	if problems := validate(path, root, configFile); problems != nil {
		l.problems = append(l.problems, problems...)
		return
	}
	f := field{path, "", root}
	if !f.get("cases").there() && !f.get("suites").there() {
		l.reader.fail(f, "names no cases; write cases: with globs, such as \"*/oats-case.yaml\"")
		return
	}
	l.globs(f.get("cases"), nil)
	for _, suite := range f.get("suites").items() {
		l.globs(suite.get("cases"), suite.get("tags").texts())
	}
}

func (l *loader) globs(f field, tags []string) {
	for _, pattern := range f.items() {
		matches, err := filepath.Glob(filepath.Join(filepath.Dir(f.file), filepath.FromSlash(pattern.text())))
		switch {
		case err != nil:
			l.reader.fail(pattern, "%q is no glob: %v", short(pattern.text()), err)
		case len(matches) == 0:
			l.reader.fail(pattern, "no file matches %q; * is one segment of a path", short(pattern.text()))
		}
		slices.Sort(matches)
		for _, match := range matches {
			l.file(match, tags, true)
		}
	}
}
