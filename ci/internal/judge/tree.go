package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// Tree judges the shape of traces.
func Tree(ctx context.Context, stores query.Stores, e cases.TreeExpectation, scope Scope) Verdict {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	v := Verdict{Revocable: e.Every}
	shape, line, err := cases.ParseTree(e.Tree)
	if err != nil {
		v.Final = true
		v.Failures = []Failure{{Rule: "tree", Message: fmt.Sprintf("line %d of the tree: %v", line, err)}}
		return v
	}
	ids, err := treeTraces(ctx, stores, e, scope, &v)
	if err != nil {
		v.failed(ctx, err, "Tempo", func(ctx context.Context) error { return stores.Tempo.Parse(ctx, e.Query.Text) })
		return v
	}
	v.Rows = len(ids)
	var best []string
	wrong, least := 0, 0
	for _, id := range ids[:min(len(ids), maxFetched)] {
		spans, err := stores.Tempo.Trace(ctx, id)
		if err != nil && !errors.Is(err, query.ErrNotFound) {
			v.failed(ctx, err, "Tempo", func(context.Context) error { return nil })
			return v
		}
		c := compare(shape, spans)
		switch {
		case c.cost == 0 && !e.Every:
			return v.finish()
		case c.cost > 0:
			if wrong++; best == nil || c.cost < least {
				best, least = append(c.lines, "in trace "+id), c.cost
			}
		}
	}
	switch {
	case len(ids) == 0:
		v.Failures = []Failure{{Rule: "tree", Message: "there is no trace"}}
		if scope.Explain {
			explainTraces(ctx, stores, or(e.Query.Text, "{}"), scope, &v)
		}
	case wrong > 0:
		message := fmt.Sprintf("none of %s has this shape", counted(wrong, "trace"))
		if e.Every {
			message = fmt.Sprintf("%d of %s have another shape", wrong, counted(len(ids), "trace"))
		}
		v.Failures = []Failure{{"tree", message + "; the nearest (- expected, + there):", best}}
	}
	return v.finish()
}

// treeTraces are the traces that the expectation is about.
func treeTraces(ctx context.Context, stores query.Stores, e cases.TreeExpectation, scope Scope, v *Verdict) ([]string, error) {
	if e.Query.Text == "" && len(scope.TraceIDs) > 0 {
		return scope.TraceIDs, nil
	}
	v.Query = narrowTraceQL(or(e.Query.Text, "{}"), scope.RunID)
	return stores.Tempo.Search(ctx, v.Query, scope.from(), scope.to(), maxFetched)
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

// A span of a trace with those below it, in the order of their beginnings.
type spanNode struct {
	query.Span
	children []*spanNode
}

// grow makes trees of a trace's spans. A span whose parent is not there is a root.
func grow(spans []query.Span) []*spanNode {
	nodes := map[string]*spanNode{}
	var order []*spanNode
	for _, s := range spans {
		node := &spanNode{Span: s}
		order = append(order, node)
		if nodes[s.ID] == nil {
			nodes[s.ID] = node
		}
	}
	var roots []*spanNode
	for _, node := range order {
		if parent := nodes[node.ParentID]; parent != nil && !descends(nodes, parent, node) {
			parent.children = append(parent.children, node)
			continue
		}
		roots = append(roots, node)
	}
	return roots
}

// descends reports whether a span is below another by way of its parents' ids, or is that
// other: such spans have made a ring.
func descends(nodes map[string]*spanNode, span, other *spanNode) bool {
	for range len(nodes) {
		if span == nil {
			return false
		}
		if span == other {
			return true
		}
		span = nodes[span.ParentID]
	}
	return true
}

// matchesShape reports whether a span is what a line of the tree says.
func matchesShape(shape *cases.SpanShape, node *spanNode) bool {
	if !shape.Service.Matches(node.Service) || !shape.Name.Matches(node.Name) || shape.Kind != "" && shape.Kind != string(node.Kind) {
		return false
	}
	attributes := spanRow(node.Span).attributes
	return !slices.ContainsFunc(shape.Attributes, func(a cases.ShapeAttribute) bool {
		value, there := attributes[a.Key]
		return !there || !a.Value.Matches(value)
	})
}

// Shape is the shape of a trace as a tree's text, which [Tree] finds true of it. Names are
// passed through name, and only the attributes of keys are written. Of spans that are alike
// and have one parent, the first is written, and … for the others: how many there are
// varies from trace to trace.
func Shape(spans []query.Span, keys []string, name func(string) string) string {
	var text strings.Builder
	shapes(grow(spans), 0, keys, name, &text)
	return text.String()
}

func shapes(nodes []*spanNode, depth int, keys []string, name func(string) string, out *strings.Builder) {
	indent := strings.Repeat("  ", depth)
	seen := map[string]bool{}
	for _, node := range nodes {
		var one strings.Builder
		attributes := spanRow(node.Span).attributes
		one.WriteString(indent + cases.QuoteShape(node.Service, false) + ": " + name(node.Name))
		if node.Kind != "" {
			one.WriteString(" [" + string(node.Kind) + "]")
		}
		var all []string
		for _, key := range keys {
			if value, there := attributes[key]; there {
				all = append(all, key+"="+cases.QuoteShape(value, true))
			}
		}
		if all != nil {
			one.WriteString(" {" + strings.Join(all, ", ") + "}")
		}
		one.WriteString("\n")
		shapes(node.children, depth+1, keys, name, &one)
		if !seen[one.String()] {
			seen[one.String()] = true
			out.WriteString(one.String())
		}
	}
	if len(seen) < len(nodes) {
		out.WriteString(indent + cases.Anything + "\n")
	}
}
