// Package traceview shows one trace to a person: its spans as a tree, and the log lines
// that carry its id; at a terminal, or as an HTML page with the spans as a waterfall.
//
// The spans are somebody else's and may be odd: without an id, in a circle, with one
// id for two, with times that cannot be. Each is printed once all the same, and no
// byte of theirs controls the terminal.
package traceview

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// Trace is one trace with its log lines.
type Trace struct {
	TraceID string `json:"trace_id"`
	// Spans are in the order of their starts.
	Spans []Span `json:"spans"`
	// Lines are the log lines that carry the trace's id, the oldest first.
	Lines []Line `json:"lines"`
	// Missing says why there may be no spans; "" when there are some.
	Missing string `json:"missing"`
}

// Span is one span, as query.Span has it.
type Span struct {
	SpanID       string            `json:"span_id"`
	ParentSpanID string            `json:"parent_span_id"`
	Service      string            `json:"service"`
	Name         string            `json:"name"`
	Kind         query.Kind        `json:"kind"`
	Start        time.Time         `json:"start"`
	End          time.Time         `json:"end"`
	Failed       bool              `json:"failed"`
	Message      string            `json:"message"`
	Attributes   map[string]string `json:"attributes"`
	Events       []Event           `json:"events"`
	Resource     map[string]string `json:"resource"`
}

// Event is something that happened during a span.
type Event struct {
	Name       string            `json:"name"`
	Time       time.Time         `json:"time"`
	Attributes map[string]string `json:"attributes"`
}

// Line is a log line.
type Line struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
	// Labels are the stream's labels and the line's structured metadata.
	Labels map[string]string `json:"labels"`
}

// Fetch reads the trace with this id, as ParseID returns it. A trace that Tempo does not
// have is no error: the Trace then has the log lines, if there are any, and Missing.
func Fetch(ctx context.Context, tempo query.Tempo, loki query.Loki, id string) (Trace, error) {
	t := Trace{TraceID: id, Spans: []Span{}, Lines: []Line{}}
	spans, err := tempo.Trace(ctx, id)
	if err != nil && !errors.Is(err, query.ErrNotFound) {
		return t, err
	}
	lines, failed := findLines(ctx, loki, id, spans)
	if failed != nil {
		return t, failed
	}
	for _, s := range spans {
		one := Span{
			s.ID, s.ParentID, s.Service, s.Name, s.Kind, s.Start, s.End, s.Failed, s.Message, s.Attributes, []Event{}, s.Resource,
		}
		for _, e := range s.Events {
			one.Events = append(one.Events, Event(e))
		}
		t.Spans = append(t.Spans, one)
	}
	for _, l := range lines {
		t.Lines = append(t.Lines, Line(l))
	}
	if err != nil {
		t.Missing = missing(id, len(lines))
	}
	return t, nil
}

// missing says why Tempo may not have the trace. lines is the number of its log lines.
func missing(id string, lines int) string {
	known := "no trace " + id + " in Tempo, and no log lines with this id in Loki"
	if lines > 0 {
		known = "Tempo has no spans of the trace " + id
	}
	return known + ". A trace arrives about two seconds after its request, and is kept for a day. " +
		"A request whose header traceparent ends in -00 is not recorded: its sender has asked for that"
}

// WriteText writes the trace for a terminal, without what Missing says.
func (t Trace) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	day := time.Now()
	if t.Missing == "" {
		tree := newTree(t.Spans)
		day = tree.begin
		fmt.Fprintf(out, "trace %s, %d spans, begun %s\n", t.TraceID, len(t.Spans), tree.begin.Local().Format("2006-01-02 15:04:05.000"))
		tree.write(out)
		fmt.Fprintln(out)
	}
	switch {
	case len(t.Lines) > 0:
		writeLines(out, t.Lines, day)
	case t.Missing == "":
		fmt.Fprintln(out, "no log lines with this id yet; they arrive about two seconds after the request")
	}
	return out.Flush()
}
