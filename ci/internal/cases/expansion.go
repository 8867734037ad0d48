package cases

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// expansion replaces the aliases and merge keys of a document by what they stand for. It
// stops at the first problem.
type expansion struct {
	path    string
	values  int
	problem *Problem
}

func (e *expansion) fail(node *yaml.Node, format string, args ...any) {
	if e.problem == nil {
		e.problem = &Problem{At: Position{e.path, node.Line, node.Column}, Message: fmt.Sprintf(format, args...)}
	}
}

// expand returns a copy of node without aliases. The values keep the places at which they
// are written. within are the anchored values that node is a part of.
func (e *expansion) expand(node *yaml.Node, within []*yaml.Node) *yaml.Node {
	if e.problem != nil {
		return node
	}
	if e.values++; e.values > maxValues {
		e.fail(node, "the file stands for more than %d values, for its aliases multiply; write fewer of them", maxValues)
		return node
	}
	if node.Kind == yaml.AliasNode {
		if slices.Contains(within, node.Alias) {
			e.fail(node, "the alias *%s stands for a value that it is a part of", node.Value)
			return node
		}
		return e.expand(node.Alias, append(slices.Clip(within), node.Alias))
	}
	if node.Anchor != "" {
		within = append(slices.Clip(within), node)
	}
	copied := *node
	copied.Anchor = ""
	switch node.Kind {
	case yaml.SequenceNode:
		copied.Content = make([]*yaml.Node, len(node.Content))
		for i, item := range node.Content {
			copied.Content[i] = e.expand(item, within)
		}
	case yaml.MappingNode:
		copied.Content = e.mapping(node, within)
	}
	return &copied
}

// mapping expands the keys and values of a mapping. A key of its own wins over one that
// is merged in.
func (e *expansion) mapping(node *yaml.Node, within []*yaml.Node) []*yaml.Node {
	var content, merged []*yaml.Node
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content) && e.problem == nil; i += 2 {
		key, value := e.expand(node.Content[i], within), node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			e.fail(key, "%s is no key; a key is a word", kindOf(key))
			break
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, e.merged(value, within)...)
			continue
		}
		if before := first[key.Value]; before != nil {
			e.fail(key, "the key %s is there twice; its first place is line %d", short(key.Value), before.Line)
			break
		}
		first[key.Value] = key
		content = append(content, key, e.expand(value, within))
	}
	for i := 0; i+1 < len(merged); i += 2 {
		if first[merged[i].Value] == nil {
			first[merged[i].Value] = merged[i]
			content = append(content, merged[i], merged[i+1])
		}
	}
	return content
}

// merged returns the keys and values that a merge key (<<) brings in.
func (e *expansion) merged(node *yaml.Node, within []*yaml.Node) []*yaml.Node {
	switch value := e.expand(node, within); value.Kind {
	case yaml.MappingNode:
		return value.Content
	case yaml.SequenceNode:
		var all []*yaml.Node
		for _, item := range value.Content {
			if item.Kind != yaml.MappingNode {
				e.fail(item, "<< merges mappings; this is %s", kindOf(item))
			}
			all = append(all, item.Content...)
		}
		return all
	default:
		e.fail(node, "<< merges a mapping; this is %s", kindOf(value))
		return nil
	}
}
