package cases

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a file. The longest public case has 200 lines.
const (
	maxBytes = 1 << 20
	// maxValues bounds a document whose aliases are replaced by what they stand for: nine
	// aliases of nine aliases, and so on, are a few lines that stand for a billion values.
	maxValues = 100_000
)

// readDocument reads the one YAML document of a file.
func readDocument(path string) (*yaml.Node, *Problem) {
	data, problem := readFile(path)
	if problem != nil {
		return nil, problem
	}
	return parseDocument(path, data)
}

func readFile(path string) ([]byte, *Problem) {
	whole := func(format string, args ...any) *Problem {
		return &Problem{At: Position{File: path}, Message: fmt.Sprintf(format, args...)}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, whole("%s", reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, whole("is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, whole("%s", reason(err))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, whole("%s", reason(err))
	}
	if len(data) > maxBytes {
		return nil, whole("has more than %d MiB; a case is a few hundred lines, so this is another kind of file", maxBytes>>20)
	}
	return data, nil
}

// reason is an error without the path, which stands before the message already.
func reason(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}

// parseDocument parses data as one YAML document whose root is a mapping, and replaces
// its aliases.
func parseDocument(path string, data []byte) (*yaml.Node, *Problem) {
	at := func(line, column int, format string, args ...any) *Problem {
		return &Problem{At: Position{path, line, column}, Message: fmt.Sprintf(format, args...)}
	}
	if line := notUTF8(data); line > 0 {
		return nil, at(line, 1, "is not UTF-8 text; save the file as UTF-8")
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, at(0, 0, "is empty; a case needs the keys name and expected")
		}
		return nil, syntax(path, data, err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, at(second.Line, second.Column, "a second document begins here; write each case into a file of its own")
	} else if !errors.Is(err, io.EOF) {
		return nil, syntax(path, data, err)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, at(0, 0, "is empty; a case needs the keys name and expected")
	}
	if root.Kind != yaml.MappingNode {
		return nil, at(root.Line, root.Column, "is %s; a case is a mapping with the keys name and expected", kindOf(root))
	}
	e := expansion{path: path}
	return e.expand(root, nil), e.problem
}

// notUTF8 returns the number of the first line that is not UTF-8, or 0.
func notUTF8(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line
		case r == '\n':
			line++
		}
		data = data[size:]
	}
	return 0
}

var (
	yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)
	tabIndex = regexp.MustCompile(`^ *\t`)
	// unquoted is a comparison that YAML takes for the beginning of a folded text.
	unquoted = regexp.MustCompile(`:\s*>=?\s*[0-9]`)
)

// syntax makes a problem of the YAML parser's error: its words, and what to do about the
// mistakes that are made most.
func syntax(path string, data []byte, err error) *Problem {
	p := &Problem{At: Position{File: path}, Message: err.Error()}
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return p
	}
	p.Message = m[2]
	p.At.Line, _ = strconv.Atoi(m[1])
	// The parser counts some lines from 0: the line that it means is one of two.
	lines := strings.Split(string(data), "\n")
	for n := max(1, p.At.Line); n <= min(p.At.Line+1, len(lines)); n++ {
		switch line := lines[n-1]; {
		case tabIndex.MatchString(line):
			p.At.Line, p.At.Column = n, strings.Index(line, "\t")+1
			p.Message = "a tab indents this line; YAML wants spaces"
			return p
		case unquoted.MatchString(line):
			p.At.Line, p.At.Column = n, strings.Index(line, ">")+1
			p.Message = "a comparison with > needs quotes, such as '>= 1': without them YAML reads > as the beginning of a text"
			return p
		}
	}
	if p.At.Line > 0 {
		p.At.Column = 1
	}
	p.Message = "is not YAML: " + p.Message
	return p
}

// kindOf names what a node is, as a message says it.
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.ShortTag() {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "the number " + short(node.Value)
	case "!!bool":
		return node.Value
	}
	return "the text " + strconv.Quote(short(node.Value))
}

// short cuts a text that a message quotes.
func short(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
