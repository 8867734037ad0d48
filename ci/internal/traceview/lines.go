package traceview

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// around is how long before its first and after its last span a trace's lines are
// looked for at first.
const around = 10 * time.Minute

// findLines returns the log lines that carry the trace's id, the oldest first: those
// around its spans or, when there are none, all that Loki searches in one query, for
// the spans' clock may be wrong.
func findLines(ctx context.Context, loki query.Loki, id string, spans []query.Span) ([]query.Line, error) {
	var from, to time.Time
	for _, s := range spans {
		for _, t := range []time.Time{s.Start, s.End} {
			if !believed(t) {
				continue
			}
			if from.IsZero() || t.Before(from) {
				from = t
			}
			if t.After(to) {
				to = t
			}
		}
	}
	if !from.IsZero() {
		lines, err := allLines(ctx, loki, id, from.Add(-around), to.Add(around))
		if err != nil || len(lines) > 0 {
			return lines, err
		}
	}
	return allLines(ctx, loki, id, time.Now().Add(-believedPast), time.Now().Add(believedFuture))
}

// page is how many lines are asked for at a time: the most that Loki gives by default.
const page = 5000

// allLines returns every line with the trace's id between two times.
func allLines(ctx context.Context, loki query.Loki, id string, from, to time.Time) ([]query.Line, error) {
	logQL := `{service_name=~".+"} | trace_id="` + id + `"`
	var all []query.Line
	for {
		lines, err := loki.Lines(ctx, logQL, from, to, page)
		if err != nil {
			return nil, err
		}
		if len(lines) < page {
			return append(all, lines...), nil
		}
		// The next page begins with the last moment of this one, of which there may
		// be more lines; when it is the page's only one, with the moment after it.
		last := lines[len(lines)-1].Time
		if last.Equal(from) {
			last = last.Add(1)
		}
		for _, l := range lines {
			if l.Time.Before(last) {
				all = append(all, l)
			}
		}
		from = last
	}
}

// shown are the attributes that are printed behind a line.
var shown = []string{"http.request.method", "url.path", "http.response.status_code", "duration_ms", "exception.message"}

// writeLines prints the lines. A line break in a text continues it on a row that
// begins with a bar, so that no text can pass for a line of its own.
func writeLines(w io.Writer, lines []Line, day time.Time) {
	const date = "2006-01-02"
	today := day.Local().Format(date)
	for _, l := range lines {
		at := l.Time.Local()
		if now := at.Format(date); now != today {
			fmt.Fprintf(w, "on %s:\n", now)
			today = now
		}
		text := strings.Split(strings.TrimRight(l.Text, "\r\n"), "\n")
		fmt.Fprintf(w, "%s  %-5s %-8s %s", at.Format("15:04:05.000"), harmless(l.Labels["level"]), harmless(l.Labels["service_name"]), textRow(text[0]))
		for _, attribute := range shown {
			// Loki has an underscore where the attribute's name has a dot.
			if v := l.Labels[strings.ReplaceAll(attribute, ".", "_")]; v != "" {
				fmt.Fprintf(w, "  %s=%s", attribute, harmless(v))
			}
		}
		fmt.Fprintln(w)
		for _, more := range text[1:] {
			fmt.Fprintf(w, "%14s| %s\n", "", textRow(more))
		}
	}
}

// textRow is one row of a text that may have tabs and the line ends of Windows.
func textRow(text string) string {
	return harmless(strings.ReplaceAll(strings.TrimSuffix(text, "\r"), "\t", "    "))
}
