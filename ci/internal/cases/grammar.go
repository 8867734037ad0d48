package cases

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
)

// Schema is the grammar of a case file as a JSON Schema, for editors.
//
//go:embed schema.json
var Schema []byte

// A grammar is one of the schema's definitions of a whole file.
type grammar string

// The kinds of file.
const (
	caseFile   grammar = "case"
	caseFileV2 grammar = "case_v2"
	configFile grammar = "config"
)

const schemaURL = "cases.json"

// compiled are the schemas by kind of file, and the schema as it is written.
var compiled = sync.OnceValues(func() (map[grammar]*jsonschema.Schema, any) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		panic(err) // the schema is ours; a test compiles it
	}
	written := document.(map[string]any)
	delete(written, "$id") // or the locations in errors have it
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(schemaURL, written); err != nil {
		panic(err)
	}
	schemas := map[grammar]*jsonschema.Schema{}
	for _, g := range []grammar{caseFile, caseFileV2, configFile} {
		schemas[g] = compiler.MustCompile(schemaURL + "#/$defs/" + string(g))
	}
	return schemas, written
})

// grammarOf tells what kind of file the root of a document belongs to.
func grammarOf(root *yaml.Node) grammar {
	switch {
	case value(root, "oats-schema-version") != nil:
		return caseFileV2
	case value(root, "meta") != nil:
		return configFile
	}
	return caseFile
}

// validate holds the document against the grammar.
func validate(path string, root *yaml.Node, g grammar) []Problem {
	schemas, written := compiled()
	err := schemas[g].Validate(plain(root))
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []Problem{{At: Position{File: path}, Message: err.Error()}}
	}
	v := violations{path: path, root: root, schema: written}
	v.walk(failed)
	return v.problems
}

// plain is a node's value as encoding/json would have it. Values that JSON does not have,
// such as dates, are texts.
func plain(node *yaml.Node) any {
	switch node.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			m[node.Content[i].Value] = plain(node.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			list = append(list, plain(item))
		}
		return list
	}
	switch node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true")
	case "!!int", "!!float":
		var number any
		if node.Decode(&number) == nil {
			if text, err := json.Marshal(number); err == nil { // not so for .inf and .nan
				return json.Number(text)
			}
		}
	}
	return node.Value
}

// violations makes problems of the schema's.
type violations struct {
	path     string
	root     *yaml.Node
	schema   any
	problems []Problem
}

func (v *violations) walk(e *jsonschema.ValidationError) {
	for _, cause := range e.Causes {
		v.walk(cause)
	}
	if len(e.Causes) > 0 {
		return
	}
	node := find(v.root, e.InstanceLocation)
	key := keyPath(e.InstanceLocation)
	add := func(at *yaml.Node, key, format string, args ...any) {
		v.problems = append(v.problems, Problem{Position{v.path, at.Line, at.Column}, key, fmt.Sprintf(format, args...)})
	}
	schema := v.at(e.SchemaURL)
	title, _ := schema["title"].(string)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add(keyNode(node, name), join(key, name), "%s", unknown(name, schema))
		}
	case *kind.Required:
		for _, name := range k.Missing {
			add(node, key, "the key %s is missing", name)
		}
	case *kind.MinProperties:
		add(node, key, "is empty; write at least one of %s", strings.Join(properties(schema), ", "))
	case *kind.MaxProperties:
		add(node, key, "has %s; write one of them", strings.Join(keys(node), " and "))
	case *kind.MinLength, *kind.MinItems:
		add(node, key, "is empty; write %s", or(title, "at least one value"))
	default:
		add(node, key, "is %s; it must be %s", kindOf(node), or(title, wanted(e.ErrorKind)))
	}
}

// wanted says what the schema asks for where it has no words of its own for it.
func wanted(k jsonschema.ErrorKind) string {
	words := map[string]string{
		"string": "text", "array": "a list", "object": "a mapping", "number": "a number", "integer": "a whole number",
		"boolean": "true or false", "null": "empty",
	}
	var all []string
	switch k := k.(type) {
	case *kind.Type:
		for _, name := range k.Want {
			if name != "null" {
				all = append(all, words[name])
			}
		}
	case *kind.Enum:
		for _, value := range k.Want {
			all = append(all, fmt.Sprint(value))
		}
	case *kind.Const:
		return fmt.Sprint(k.Want)
	case *kind.Minimum:
		return "at least " + k.Want.RatString()
	default:
		return "another value"
	}
	return strings.Join(all, " or ")
}

// unknown says that a key is unknown, and which is the nearest of those that are known.
func unknown(name string, schema map[string]any) string {
	known := properties(schema)
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("the key %s is unknown; the nearest known key is %s", short(name), near)
	}
	return fmt.Sprintf("the key %s is unknown; known are %s", short(name), strings.Join(known, ", "))
}

// at returns the schema at a location such as "cases.json#/$defs/case".
func (v *violations) at(url string) map[string]any {
	_, pointer, _ := strings.Cut(url, "#")
	here := v.schema
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~", "%20", " ").Replace(token)
		switch value := here.(type) {
		case map[string]any:
			if token != "" {
				here = value[token]
			}
		case []any:
			if i, err := strconv.Atoi(token); err == nil && i < len(value) {
				here = value[i]
			}
		}
	}
	schema, _ := here.(map[string]any)
	return schema
}

func properties(schema map[string]any) []string {
	known, _ := schema["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(known))
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}
