package judge

import (
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// maxTreeLines bounds the lines of a difference.
const maxTreeLines = 60

// comparison is how a trace differs from a tree.
type comparison struct {
	// cost is how far the two are apart; 0 when the trace has the shape.
	cost  int
	lines []string
}

type pair struct {
	shape *cases.SpanShape
	node  *spanNode
}

// comparer compares each line of a tree with each span at most once.
type comparer struct{ costs map[pair]int }

// compare holds a trace against a tree. The order of spans does not count.
func compare(tree cases.Tree, spans []query.Span) comparison {
	c := comparer{map[pair]int{}}
	var out comparison
	roots := grow(spans)
	out.cost = c.listCost(tree.Roots, tree.More, roots)
	if out.cost > 0 {
		c.list(tree.Roots, tree.More, roots, 0, &out.lines)
		if len(out.lines) > maxTreeLines {
			out.lines = append(out.lines[:maxTreeLines], "  …")
		}
	}
	return out
}

// lineCost is the cost of a line of the tree without a span, and of a span without a line.
const lineCost = 6

// cost is how far a line of the tree, with those below it, and a span with those below it
// are apart.
func (c comparer) cost(shape *cases.SpanShape, node *spanNode) int {
	p := pair{shape, node}
	if cost, known := c.costs[p]; known {
		return cost
	}
	cost := c.listCost(shape.Children, shape.More, node.children)
	if !matchesShape(shape, node) {
		cost += spanCost(shape, node)
	}
	c.costs[p] = cost
	return cost
}

// spanCost is how far a line and a span that does not match it are apart: less than the
// two by themselves cost, so that they stand next to each other in the difference.
func spanCost(shape *cases.SpanShape, node *spanNode) int {
	cost := 1
	if !shape.Service.Matches(node.Service) {
		cost += 2
	}
	if !shape.Name.Matches(node.Name) {
		cost += 1 + int(lineCost*(1-alike(shape.Name.Text, node.Name)))
	}
	if shape.Kind != "" && shape.Kind != string(node.Kind) {
		cost++
	}
	return min(cost, 2*lineCost-1)
}

func (c comparer) listCost(shapes []cases.SpanShape, more bool, nodes []*spanNode) int {
	pairs := c.pairs(shapes, nodes)
	cost := 0
	for i := range shapes {
		if node := pairs[i]; node != nil {
			cost += c.cost(&shapes[i], node)
		} else {
			cost += lineCost * lines(&shapes[i])
		}
	}
	if !more {
		for _, node := range unpaired(pairs, nodes) {
			cost += lineCost * size(node)
		}
	}
	return cost
}

// pairs finds for each line of the tree the span that it is about, or nil. Lines that a
// span fully matches come first, so that each of them has one whatever the order is.
func (c comparer) pairs(shapes []cases.SpanShape, nodes []*spanNode) []*spanNode {
	owner := map[*spanNode]int{}
	result := make([]*spanNode, len(shapes))
	var assign func(i int, tried map[*spanNode]bool) bool
	assign = func(i int, tried map[*spanNode]bool) bool { // Kuhn's algorithm
		for _, node := range nodes {
			if tried[node] || c.cost(&shapes[i], node) > 0 {
				continue
			}
			tried[node] = true
			if other, taken := owner[node]; !taken || assign(other, tried) {
				owner[node], result[i] = i, node
				return true
			}
		}
		return false
	}
	for i := range shapes {
		assign(i, map[*spanNode]bool{})
	}
	for i := range shapes { // the rest: the nearest that is left, if it is nearer than none
		if result[i] != nil {
			continue
		}
		least := 0
		for _, node := range nodes {
			if _, taken := owner[node]; taken {
				continue
			}
			cost := c.cost(&shapes[i], node)
			if cost < lineCost*(lines(&shapes[i])+size(node)) && (result[i] == nil || cost < least) {
				result[i], least = node, cost
			}
		}
		if result[i] != nil {
			owner[result[i]] = i
		}
	}
	return result
}

func unpaired(pairs, nodes []*spanNode) []*spanNode {
	var left []*spanNode
	for _, node := range nodes {
		paired := false
		for _, p := range pairs {
			paired = paired || p == node
		}
		if !paired {
			left = append(left, node)
		}
	}
	return left
}

// lines is the number of lines of a part of the tree.
func lines(shape *cases.SpanShape) int {
	n := 1
	for i := range shape.Children {
		n += lines(&shape.Children[i])
	}
	return n
}

// size is the number of spans below a span, with itself.
func size(node *spanNode) int {
	n := 1
	for _, child := range node.children {
		n += size(child)
	}
	return n
}

// list writes the difference of spans and lines that have one parent.
func (c comparer) list(shapes []cases.SpanShape, more bool, nodes []*spanNode, depth int, out *[]string) {
	pairs := c.pairs(shapes, nodes)
	for i := range shapes {
		shape := &shapes[i]
		node := pairs[i]
		if node == nil {
			missing(shape, depth, out)
			continue
		}
		if matchesShape(shape, node) {
			add(out, " ", depth, spanText(node, nil))
		} else {
			add(out, "-", depth, shapeLine(shape))
			add(out, "+", depth, spanText(node, shape))
		}
		c.list(shape.Children, shape.More, node.children, depth+1, out)
	}
	left := unpaired(pairs, nodes)
	if more && len(left) > 0 {
		add(out, " ", depth, cases.Anything)
		return
	}
	for _, node := range left {
		besides(node, depth, out)
	}
}

func missing(shape *cases.SpanShape, depth int, out *[]string) {
	add(out, "-", depth, shapeLine(shape))
	for i := range shape.Children {
		missing(&shape.Children[i], depth+1, out)
	}
}

func besides(node *spanNode, depth int, out *[]string) {
	add(out, "+", depth, spanText(node, nil))
	for _, child := range node.children {
		besides(child, depth+1, out)
	}
}

func add(out *[]string, sign string, depth int, text string) {
	if len(*out) <= maxTreeLines {
		*out = append(*out, sign+" "+strings.Repeat("  ", depth)+text)
	}
}

// shapeLine writes a line of a tree.
func shapeLine(shape *cases.SpanShape) string {
	text := shape.Service.Text + ": " + shape.Name.Text
	if shape.Kind != "" {
		text += " [" + shape.Kind + "]"
	}
	var all []string
	for _, a := range shape.Attributes {
		all = append(all, a.Key+"="+cases.QuoteShape(a.Value.Text, !strings.Contains(a.Value.Text, cases.Anything)))
	}
	if all != nil {
		text += " {" + strings.Join(all, ", ") + "}"
	}
	return text
}

// spanText writes a span as a tree would, with the attributes that a line asks for.
func spanText(node *spanNode, asked *cases.SpanShape) string {
	text := cases.QuoteShape(node.Service, false) + ": " + cases.QuoteShape(node.Name, false)
	if node.Kind != "" {
		text += " [" + string(node.Kind) + "]"
	}
	if asked == nil {
		return text
	}
	attributes := spanRow(node.Span).attributes
	var all []string
	for _, a := range asked.Attributes {
		if value, there := attributes[a.Key]; there {
			all = append(all, a.Key+"="+cases.QuoteShape(short(value), true))
		}
	}
	if all != nil {
		text += " {" + strings.Join(all, ", ") + "}"
	}
	return text
}
