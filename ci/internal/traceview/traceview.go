// Package traceview prints one trace for a person at a terminal: its spans as a tree,
// and the log lines that carry its id.
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

// Print writes the trace with this id, as ParseID returns it. Of a trace that Tempo
// does not have, Print writes the log lines alone, if there are any, and returns an
// error that says why the spans may be missing.
func Print(ctx context.Context, w io.Writer, tempo query.Tempo, loki query.Loki, id string) error {
	spans, err := tempo.Trace(ctx, id)
	missing := errors.Is(err, query.ErrNotFound)
	if err != nil && !missing {
		return err
	}
	lines, err := findLines(ctx, loki, id, spans)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	day := time.Now()
	if !missing {
		t := newTree(spans)
		day = t.begin
		fmt.Fprintf(out, "trace %s, %d spans, begun %s\n", id, len(spans), t.begin.Local().Format("2006-01-02 15:04:05.000"))
		t.write(out)
		fmt.Fprintln(out)
	}
	switch {
	case len(lines) > 0:
		writeLines(out, lines, day)
	case !missing:
		fmt.Fprintln(out, "no log lines with this id yet; they arrive about two seconds after the request")
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if !missing {
		return nil
	}
	known := "no trace " + id + " in Tempo, and no log lines with this id in Loki"
	if len(lines) > 0 {
		known = "Tempo has no spans of the trace " + id
	}
	return errors.New(known + ". A trace arrives about two seconds after its request, and is kept for a day. " +
		"A request whose header traceparent ends in -00 is not recorded: its sender has asked for that")
}
