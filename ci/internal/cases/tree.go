package cases

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Tree is the shape of a trace, written as one line for each span:
//
//	frontend: GET /users/{id} [server] {http.route="/users/{id}"}
//	  frontend: GET [client]
//	    backend: GET /users/{id} [server]
//	      …
//
// A span is a child of the nearest span above that is indented less. The kind and the
// attributes may be left out, and then any will do. In a name or a value, … (or ...)
// stands for any text, unless it is quoted. A line of … alone stands for any number of
// further spans with their children.
type Tree struct {
	Roots []SpanShape
	// More says that there may be further roots.
	More bool
}

// SpanShape is what a tree says of one span and of those below it.
type SpanShape struct {
	// Line is the line in the tree's text, from 1.
	Line int
	// Service and Name are what they must be.
	Service, Name ShapeText
	// Kind is internal, server, client, producer or consumer; "" is any.
	Kind string
	// Attributes must be there; others may be.
	Attributes []ShapeAttribute
	Children   []SpanShape
	// More says that there may be further children.
	More bool
}

// ShapeAttribute is an attribute that a span must have.
type ShapeAttribute struct {
	Key   string
	Value ShapeText
}

// ShapeText is a text in which … may stand for any text.
type ShapeText struct {
	// Text is the text without quotes.
	Text string
	// pattern is nil when the text must be equal.
	pattern *regexp.Regexp
}

// Matches reports whether the text is of the shape.
func (s ShapeText) Matches(text string) bool {
	if s.pattern != nil {
		return s.pattern.MatchString(text)
	}
	return text == s.Text
}

// Kinds are the kinds of span, as a tree names them.
var Kinds = []string{"internal", "server", "client", "producer", "consumer"}

// Anything stands for any text in a tree, and on a line of its own for any spans.
const Anything = "…"

// ParseTree reads a tree. An error is about the line that is returned beside it, from 1.
func ParseTree(text string) (tree Tree, line int, err error) {
	type open struct {
		indent   int
		children *[]SpanShape
		more     *bool
	}
	stack := []open{{-1, &tree.Roots, &tree.More}}
	for i, raw := range strings.Split(text, "\n") {
		content := strings.TrimSpace(raw)
		if content == "" || strings.HasPrefix(content, "#") {
			continue
		}
		indent := strings.TrimRightFunc(raw[:strings.Index(raw, content)], func(r rune) bool { return r == '\r' })
		if strings.Contains(indent, "\t") {
			return Tree{}, i + 1, fmt.Errorf("a tab indents this line of the tree; write spaces")
		}
		for len(stack) > 1 && stack[len(stack)-1].indent >= len(indent) {
			stack = stack[:len(stack)-1]
		}
		parent := stack[len(stack)-1]
		if content == Anything || content == "..." {
			*parent.more = true
			continue
		}
		span, err := parseSpan(content)
		if err != nil {
			return Tree{}, i + 1, err
		}
		span.Line = i + 1
		*parent.children = append(*parent.children, span)
		added := &(*parent.children)[len(*parent.children)-1]
		stack = append(stack, open{len(indent), &added.Children, &added.More})
	}
	if len(tree.Roots) == 0 {
		return Tree{}, 1, fmt.Errorf("the tree has no span; write one line for each, such as: frontend: GET /users [server]")
	}
	return tree, 0, nil
}

var kindSuffix = regexp.MustCompile(`^(.*\S)\s+\[([A-Za-z]+)\]$`)

// parseSpan reads one line: service: name [kind] {key=value, …}.
func parseSpan(content string) (SpanShape, error) {
	var span SpanShape
	rest := content
	for at := strings.Index(rest, " {"); at >= 0 && strings.HasSuffix(rest, "}"); {
		if attributes, ok := parseAttributes(rest[at+2 : len(rest)-1]); ok {
			span.Attributes, rest = attributes, strings.TrimSpace(rest[:at])
			break
		}
		next := strings.Index(rest[at+1:], " {")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	if m := kindSuffix.FindStringSubmatch(rest); m != nil {
		kind := strings.ToLower(m[2])
		if !slices.Contains(Kinds, kind) {
			return span, fmt.Errorf("[%s] is no kind of span; kinds are %s", m[2], strings.Join(Kinds, ", "))
		}
		rest, span.Kind = m[1], kind
	}
	service, name, ok := cutService(rest)
	if !ok {
		return span, fmt.Errorf("%q is no span; write service: name [kind] {key=value}, or %s for any spans", short(content), Anything)
	}
	var err error
	if span.Service, err = shapeText(service); err != nil {
		return span, err
	}
	span.Name, err = shapeText(name)
	return span, err
}

// cutService splits "service: name"; a quoted service may have any character.
func cutService(text string) (service, name string, ok bool) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil && strings.HasPrefix(text, `"`) {
		name, ok = strings.CutPrefix(strings.TrimSpace(text[len(quoted):]), ":")
		return quoted, strings.TrimSpace(name), ok
	}
	service, name, ok = strings.Cut(text, ":")
	for ok && name != "" && !strings.HasPrefix(name, " ") { // a colon within the service's name
		var more string
		more, name, ok = strings.Cut(name, ":")
		service += ":" + more
	}
	name = strings.TrimSpace(name)
	service = strings.TrimSpace(service)
	return service, name, ok && service != "" && name != ""
}

// shapeText reads a text: quoted, it is as it stands; else … and ... stand for any text.
func shapeText(text string) (ShapeText, error) {
	if strings.HasPrefix(text, `"`) {
		plain, err := strconv.Unquote(text)
		if err != nil {
			return ShapeText{}, fmt.Errorf("%s has a quote that does not end, or an unknown escape", short(text))
		}
		return ShapeText{Text: plain}, nil
	}
	dots := strings.ReplaceAll(text, "...", Anything)
	if !strings.Contains(dots, Anything) {
		return ShapeText{Text: text}, nil
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(dots), Anything, "(?s:.*)")
	re, err := regexp.Compile("^" + pattern + "$")
	if err != nil { // not UTF-8, or longer than RE2 takes
		return ShapeText{}, fmt.Errorf("%q: %w", short(text), err)
	}
	return ShapeText{text, re}, nil
}

// parseAttributes reads key=value pairs with commas between them.
func parseAttributes(text string) (all []ShapeAttribute, ok bool) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		key, rest, found := strings.Cut(text, "=")
		key, rest = strings.TrimSpace(key), strings.TrimSpace(rest)
		if !found || key == "" || strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == '{' || r == '"' }) {
			return nil, false
		}
		var value string
		if quoted, err := strconv.QuotedPrefix(rest); err == nil && strings.HasPrefix(rest, `"`) {
			value, text = quoted, strings.TrimSpace(rest[len(quoted):])
			if text != "" && !strings.HasPrefix(text, ",") {
				return nil, false
			}
			text = strings.TrimPrefix(text, ",")
		} else {
			value, text, _ = strings.Cut(rest, ",")
			if strings.Contains(value, `"`) {
				return nil, false
			}
		}
		shape, err := shapeText(strings.TrimSpace(value))
		if err != nil {
			return nil, false
		}
		all = append(all, ShapeAttribute{key, shape})
	}
	return all, len(all) > 0
}

// QuoteShape writes a text so that a tree has it as it stands, with quotes only where the
// tree's grammar would read it otherwise. In a value, commas and braces need them, too.
func QuoteShape(text string, isValue bool) string {
	plain := text != "" && text == strings.TrimSpace(text) && !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, "#") &&
		!strings.Contains(text, Anything) && !strings.Contains(text, "...") && !strings.Contains(text, ": ") &&
		!strings.Contains(text, " {") && !strings.Contains(text, " [") && !strings.HasSuffix(text, ":") &&
		strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if isValue {
		plain = plain && !strings.ContainsAny(text, `,{}"`)
	}
	if plain {
		return text
	}
	return strconv.Quote(text)
}
