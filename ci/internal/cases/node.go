package cases

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// value returns the value of a key of a mapping, or nil.
func value(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// keyNode returns the place of a key of a mapping.
func keyNode(node *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i]
		}
	}
	return node
}

func keys(node *yaml.Node) []string {
	var all []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		all = append(all, node.Content[i].Value)
	}
	return all
}

// find follows the keys and indices of a location as far as they lead.
func find(node *yaml.Node, location []string) *yaml.Node {
	for _, token := range location {
		next := value(node, token)
		if i, err := strconv.Atoi(token); err == nil && node.Kind == yaml.SequenceNode && i < len(node.Content) {
			next = node.Content[i]
		}
		if next == nil {
			break
		}
		node = next
	}
	return node
}

// keyPath writes a location as a path: expected.traces[0].traceql.
func keyPath(location []string) string {
	path := ""
	for _, token := range location {
		if _, err := strconv.Atoi(token); err == nil {
			path += "[" + token + "]"
			continue
		}
		path = join(path, token)
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// A field is a value of a document that the grammar has been found true of. Of a key that
// is not there the node is nil, and every value is its zero.
type field struct {
	file string
	path string
	node *yaml.Node
}

func (f field) get(key string) field { return field{f.file, join(f.path, key), value(f.node, key)} }

func (f field) there() bool { return f.node != nil }

func (f field) is(kind yaml.Kind) bool { return f.node != nil && f.node.Kind == kind }

func (f field) at() Position {
	if f.node == nil {
		return Position{File: f.file}
	}
	return Position{f.file, f.node.Line, f.node.Column}
}

// items are the values of a list. A value that is no list is a list of itself.
func (f field) items() []field {
	if f.node == nil {
		return nil
	}
	if f.node.Kind != yaml.SequenceNode {
		return []field{f}
	}
	var all []field
	for i, item := range f.node.Content {
		all = append(all, field{f.file, f.path + "[" + strconv.Itoa(i) + "]", item})
	}
	return all
}

func (f field) text() string {
	if f.node == nil {
		return ""
	}
	return f.node.Value
}

func (f field) texts() []string {
	var all []string
	for _, item := range f.items() {
		all = append(all, item.text())
	}
	return all
}

func (f field) textMap() map[string]string {
	if f.node == nil {
		return nil
	}
	all := map[string]string{}
	for _, key := range keys(f.node) {
		all[key] = f.get(key).text()
	}
	return all
}

func (f field) flag() bool {
	switch strings.ToLower(f.text()) {
	case "true", "yes", "on":
		return true
	}
	return false
}

func (f field) integer() int {
	var n int
	if f.node != nil {
		_ = f.node.Decode(&n) // the grammar has seen to it
	}
	return n
}

func (f field) duration() time.Duration {
	d, _ := time.ParseDuration(f.text()) // the grammar has seen to it
	return d
}
