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
	spans    []query.Span
	parent   []int // by span; none for a root
	children [][]int
	// begin is when the trace began: the first start that can be true.
	begin time.Time
}

const none = -1

func newTree(spans []query.Span) *tree {
	t := &tree{spans: spans, parent: make([]int, len(spans)), children: make([][]int, len(spans)), begin: begin(spans)}
	byID := map[string][]int{}
	for i, s := range spans {
		if isSet(s.ID) {
			byID[s.ID] = append(byID[s.ID], i)
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
func parentOf(spans []query.Span, i int, byID map[string][]int) int {
	s := spans[i]
	if s.Kind == query.Server && isSet(s.ID) {
		for _, twin := range byID[s.ID] {
			if spans[twin].Kind == query.Client {
				return twin
			}
		}
	}
	if !isSet(s.ParentID) {
		return none
	}
	parent := none
	for _, p := range byID[s.ParentID] {
		if parent == none || spans[parent].Kind != query.Server && spans[p].Kind == query.Server {
			parent = p
		}
	}
	return parent
}

// isSet tells whether a span's id is one: not empty, and not zero.
func isSet(id string) bool { return strings.Trim(id, "0") != "" }

// write writes a row for each span, exactly one.
func (t *tree) write(w io.Writer) {
	fmt.Fprintf(w, "%9s %-10s %s\n", "took", "at", "span")
	done := make([]bool, len(t.spans))
	for i := range t.spans {
		if t.parent[i] == none {
			t.branch(w, i, 0, done)
		}
	}
	// The rest are spans in circles, and what hangs on those.
	for i := range t.spans {
		if !done[i] {
			t.branch(w, t.circle(i), 0, done)
		}
	}
}

// circle returns the span at which the ancestors of span i begin to repeat.
func (t *tree) circle(i int) int {
	seen := map[int]bool{}
	for ; !seen[i]; i = t.parent[i] {
		seen[i] = true
	}
	return i
}

// branch writes a span and its descendants.
func (t *tree) branch(w io.Writer, i, depth int, done []bool) {
	if done[i] {
		return
	}
	done[i] = true
	var notes []string
	if depth == 0 && t.parent[i] != none {
		notes = append(notes, "its own ancestor")
	}
	t.row(w, t.spans[i], depth, notes)
	for _, child := range t.children[i] {
		t.branch(w, child, depth+1, done)
	}
}

// maxIndent is how many levels of the tree are indented. Deeper ones would leave no
// room on the screen, and are numbered.
const maxIndent = 40

func (t *tree) row(w io.Writer, s query.Span, depth int, notes []string) {
	took, at, odd := times(s, t.begin)
	notes = append(notes, odd...)
	var b strings.Builder
	b.WriteString(strings.Repeat("  ", min(depth, maxIndent)))
	if depth > maxIndent {
		fmt.Fprintf(&b, "(level %d) ", depth)
	}
	b.WriteString(harmless(s.Service) + " " + harmless(s.Name))
	if sql := s.Attributes["db.query.text"]; sql != "" {
		b.WriteString("  " + harmless(strings.Join(strings.Fields(sql), " ")))
	}
	if s.Kind != "" {
		b.WriteString(" (" + string(s.Kind) + ")")
	}
	if s.Failed {
		b.WriteString(strings.TrimRight("  ERROR "+harmless(s.Message), " "))
	}
	for _, note := range notes {
		b.WriteString("  [" + note + "]")
	}
	fmt.Fprintf(w, "%9s %-10s %s\n", took, at, b.String())
}
