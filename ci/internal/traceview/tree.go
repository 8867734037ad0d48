package traceview

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// A tree is the spans of a trace, each below its parent. A span is known by its
// place in spans: its id may be that of others too, or empty.
type tree struct {
	spans    []Span
	parent   []int // by span; none for a root
	children [][]int
	// begin is when the trace began: the first start that can be true.
	begin time.Time
}

const none = -1

func newTree(spans []Span) *tree {
	t := &tree{spans: spans, parent: make([]int, len(spans)), children: make([][]int, len(spans)), begin: begin(spans)}
	byID := map[string][]int{}
	for i, s := range spans {
		if isSet(s.SpanID) {
			byID[s.SpanID] = append(byID[s.SpanID], i)
		}
	}
	for i := range spans {
		t.parent[i] = parentOf(spans, i, byID)
		if p := t.parent[i]; p != none {
			t.children[p] = append(t.children[p], i)
		}
	}
	return t
}

// parentOf finds the parent of a span. A span whose parent is not in the trace, such
// as that of a caller who exports nothing, is a root. Where client and server share
// one id, as with Zipkin, the server's span is the client's child, and what the server
// calls is the server's.
func parentOf(spans []Span, i int, byID map[string][]int) int {
	s := spans[i]
	if s.Kind == query.Server && isSet(s.SpanID) {
		for _, twin := range byID[s.SpanID] {
			if spans[twin].Kind == query.Client {
				return twin
			}
		}
	}
	if !isSet(s.ParentSpanID) {
		return none
	}
	parent := none
	for _, p := range byID[s.ParentSpanID] {
		if parent == none || spans[parent].Kind != query.Server && spans[p].Kind == query.Server {
			parent = p
		}
	}
	return parent
}

// isSet tells whether a span's id is one: not empty, and not zero.
func isSet(id string) bool { return strings.Trim(id, "0") != "" }

// A row is one span in its place in the tree.
type row struct {
	Span
	depth int
	// took and at are how long it took and when it began, for people; notes say what is
	// odd about it.
	took, at string
	notes    []string
}

// rows returns a row for each span, exactly one, each below its parent.
func (t *tree) rows() []row {
	rows := make([]row, 0, len(t.spans))
	done := make([]bool, len(t.spans))
	for i := range t.spans {
		if t.parent[i] == none {
			rows = t.branch(rows, i, 0, done)
		}
	}
	// The rest are spans in circles, and what hangs on those.
	for i := range t.spans {
		if !done[i] {
			rows = t.branch(rows, t.circle(i), 0, done)
		}
	}
	return rows
}

// circle returns the span at which the ancestors of span i begin to repeat.
func (t *tree) circle(i int) int {
	seen := map[int]bool{}
	for ; !seen[i]; i = t.parent[i] {
		seen[i] = true
	}
	return i
}

// branch appends the rows of a span and its descendants.
func (t *tree) branch(rows []row, i, depth int, done []bool) []row {
	if done[i] {
		return rows
	}
	done[i] = true
	r := row{Span: t.spans[i], depth: depth}
	if depth == 0 && t.parent[i] != none {
		r.notes = append(r.notes, "its own ancestor")
	}
	var odd []string
	r.took, r.at, odd = times(r.Span, t.begin)
	r.notes = append(r.notes, odd...)
	rows = append(rows, r)
	for _, child := range t.children[i] {
		rows = t.branch(rows, child, depth+1, done)
	}
	return rows
}

// statement returns the SQL of a span in one line; "" when it has none.
func (r row) statement() string {
	return strings.Join(strings.Fields(r.Attributes["db.query.text"]), " ")
}

// write writes the tree for a terminal.
func (t *tree) write(w io.Writer) {
	fmt.Fprintf(w, "%9s %-10s %s\n", "took", "at", "span")
	for _, r := range t.rows() {
		r.write(w)
	}
}

// maxIndent is how many levels of the tree are indented. Deeper ones would leave no
// room on the screen, and are numbered.
const maxIndent = 40

func (r row) write(w io.Writer) {
	var b strings.Builder
	b.WriteString(strings.Repeat("  ", min(r.depth, maxIndent)))
	if r.depth > maxIndent {
		fmt.Fprintf(&b, "(level %d) ", r.depth)
	}
	b.WriteString(harmless(r.Service) + " " + harmless(r.Name))
	if sql := r.statement(); sql != "" {
		b.WriteString("  " + harmless(sql))
	}
	if r.Kind != "" {
		b.WriteString(" (" + string(r.Kind) + ")")
	}
	if r.Failed {
		b.WriteString(strings.TrimRight("  ERROR "+harmless(r.Message), " "))
	}
	for _, note := range r.notes {
		b.WriteString("  [" + note + "]")
	}
	fmt.Fprintf(w, "%9s %-10s %s\n", r.took, r.at, b.String())
}
