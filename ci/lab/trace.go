package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

var traceIDPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

func traceCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "trace ID",
		Short: "Print one trace as a tree, with its log lines",
		Long: `trace prints a trace's spans as a tree with their durations, and the log lines that
carry its id, as Grafana would show them. The frontend's page and the header
X-Trace-Id of every answer name the id.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !traceIDPattern.MatchString(args[0]) {
				return usageError{errors.New("trace wants one trace id: 32 hexadecimal digits, such as an answer's X-Trace-Id")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := e.site()
			if err != nil {
				return err
			}
			return s.trace(cmd.Context(), e.stdout, args[0])
		},
	}
}

// writeTree prints the spans below their parents. A span whose parent is not in
// the trace, such as that of a caller who exports nothing, is a root.
func writeTree(w io.Writer, spans []query.Span) {
	children := map[string][]query.Span{}
	known := map[string]bool{}
	for _, s := range spans {
		known[s.ID] = true
	}
	for _, s := range spans {
		parent := s.ParentID
		if !known[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], s)
	}
	begin := spans[0].Start
	var branch func(parent, indent string)
	branch = func(parent, indent string) {
		for _, s := range children[parent] {
			mark := ""
			if s.Failed {
				mark = "  ERROR"
			}
			what := s.Name
			if sql := s.Attributes["db.query.text"]; sql != "" {
				what += "  " + sql
			}
			fmt.Fprintf(w, "%9s +%-9s %s%s %s (%s)%s\n", ms(s.Duration()), ms(s.Start.Sub(begin)), indent, s.Service, what, s.Kind, mark)
			branch(s.ID, indent+"  ")
		}
	}
	fmt.Fprintf(w, "%9s %-10s %s\n", "took", "at", "span")
	branch("", "")
}

// writeLines prints the log lines that carry the trace's id.
func writeLines(ctx context.Context, w io.Writer, loki query.Loki, id string, spans []query.Span) error {
	begin, end := spans[0].Start, spans[0].End
	for _, s := range spans {
		if s.End.After(end) {
			end = s.End
		}
	}
	lines, err := loki.Lines(ctx, `{service_name=~".+"} | trace_id="`+id+`"`, begin.Add(-time.Minute), end.Add(time.Minute), 100)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	if len(lines) == 0 {
		fmt.Fprintln(w, "no log lines with this id yet; they arrive about two seconds after the request")
	}
	for _, l := range lines {
		fmt.Fprintf(w, "%s  %-5s %-8s %s", l.Time.Local().Format("15:04:05.000"), l.Labels["level"], l.Labels["service_name"], l.Text)
		for _, attribute := range []string{"http.request.method", "url.path", "http.response.status_code", "duration_ms", "exception.message"} {
			// Loki has an underscore where the attribute's name has a dot.
			if v := l.Labels[strings.ReplaceAll(attribute, ".", "_")]; v != "" {
				fmt.Fprintf(w, "  %s=%s", attribute, v)
			}
		}
		fmt.Fprintln(w)
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000) }
