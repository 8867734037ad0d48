package record

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrNothing says that nothing has arrived that could be written down.
var ErrNothing = errors.New("nothing has arrived, so there is nothing to record")

// recorded are the keys of expected that are written anew; others stay as they are.
var recorded = map[string]bool{"traces": true, "trees": true, "logs": true, "metrics": true}

// Into returns a case file of version 3 with what was seen as its expectation. Everything
// but the key expected stays as it is, to the letter; of expected, the keys that nothing
// was seen for, such as custom-checks, stay.
func (s Seen) Into(file []byte) ([]byte, error) {
	if s.Empty() {
		return nil, ErrNothing
	}
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode || document.Content[0].Style&yaml.FlowStyle != 0 {
		return nil, errors.New("the case is not written as a key on each line, so that its expectation cannot be replaced")
	}
	root := document.Content[0]
	expected := s.node()
	lines := bytes.SplitAfter(file, []byte("\n"))
	from, to := len(lines), len(lines)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Value == "oats-schema-version" {
			return nil, errors.New("the case is of version 2; only cases of version 3 are written")
		}
		if key.Value != "expected" {
			continue
		}
		from = key.Line - 1
		if i+2 < len(root.Content) {
			to = root.Content[i+2].Line - 1
			for to > from+1 && isComment(lines[to-1]) { // it belongs to the next key
				to--
			}
		}
		for j := 0; j+1 < len(value.Content) && value.Kind == yaml.MappingNode; j += 2 {
			if !recorded[value.Content[j].Value] {
				expected.Content = append(expected.Content, value.Content[j], value.Content[j+1])
			}
		}
	}
	text, err := encode("expected", expected)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Write(bytes.Join(lines[:from], nil))
	if n := out.Len(); n > 0 && out.Bytes()[n-1] != '\n' {
		out.WriteByte('\n')
	}
	out.Write(text)
	out.Write(bytes.Join(lines[to:], nil))
	return out.Bytes(), nil
}

func isComment(line []byte) bool {
	text := bytes.TrimSpace(line)
	return len(text) == 0 || text[0] == '#'
}

// SchemaURL is where editors find the grammar.
const SchemaURL = "https://raw.githubusercontent.com/lgtm-lab/lgtm-lab/main/ci/internal/cases/schema.json"

// First returns a first case for a service that is sending.
func (s Seen) First(service string) ([]byte, error) {
	if s.Empty() {
		return nil, ErrNothing
	}
	text, err := encode("expected", s.node())
	if err != nil {
		return nil, err
	}
	name, err := encode("name", scalar(service+" sends its telemetry"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# yaml-language-server: $schema=%s\n", SchemaURL)
	out.WriteString("# Written by `lab check --init` from what the service has sent. Read it, and take out what\n" +
		"# does not matter. docs/cases.md explains the keys.\n")
	out.Write(name)
	out.WriteString("\n# How the application is started. Without it, the case is about one that runs already.\n" +
		"# run:\n#   command: node app.js --port ${PORT}\n#   ready: http://127.0.0.1:${PORT}/\n" +
		"\n# What drives it.\n# input:\n#   - path: /\n\n")
	out.Write(text)
	return out.Bytes(), nil
}

// node is what was seen as the value of the key expected.
func (s Seen) node() *yaml.Node {
	expected := mapping()
	if len(s.Trees) > 0 {
		trees := &yaml.Node{Kind: yaml.SequenceNode}
		for _, tree := range s.Trees {
			trees.Content = append(trees.Content, &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.LiteralStyle, Value: tree})
		}
		put(expected, "trees", trees)
	}
	logs := &yaml.Node{Kind: yaml.SequenceNode}
	var of string
	var matches *yaml.Node
	for _, line := range s.Lines {
		if matches == nil || of != line.Service {
			of, matches = line.Service, &yaml.Node{Kind: yaml.SequenceNode}
			one := mapping()
			put(one, "logql", scalar("{service_name="+strconv.Quote(line.Service)+"}"))
			put(one, "match", matches)
			logs.Content = append(logs.Content, one)
		}
		match := mapping()
		if line.Regexp {
			put(match, "match_type", scalar("regexp"))
		}
		put(match, "name", scalar(line.Text))
		matches.Content = append(matches.Content, match)
	}
	if len(logs.Content) > 0 {
		put(expected, "logs", logs)
	}
	metrics := &yaml.Node{Kind: yaml.SequenceNode}
	for _, m := range s.Metrics {
		one := mapping()
		put(one, "promql", scalar(fmt.Sprintf("sum(%s{service_name=%q})", m.Name, m.Service)))
		if m.AtLeast > 0 {
			put(one, "value", scalar(">= "+strconv.Itoa(m.AtLeast)))
		} else {
			put(one, "count", scalar(">= 1"))
		}
		metrics.Content = append(metrics.Content, one)
	}
	if len(metrics.Content) > 0 {
		put(expected, "metrics", metrics)
	}
	return expected
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func put(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, scalar(key), value)
}

// scalar is a text; the encoder quotes it where YAML would read it otherwise.
func scalar(text string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(text)
	if strings.HasPrefix(text, ">") {
		node.Style = yaml.SingleQuotedStyle
	}
	return node
}

func encode(key string, value *yaml.Node) ([]byte, error) {
	m := mapping()
	put(m, key, value)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(m); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}
