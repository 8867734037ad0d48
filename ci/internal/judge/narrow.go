package judge

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// narrowTraceQL puts the run into each span filter, { … }, of a TraceQL query. A query that
// is none stays as it is: Tempo says what is wrong with it.
func narrowTraceQL(query, runID string) string {
	if runID == "" {
		return query
	}
	run := fmt.Sprintf("resource.%s = %s", runid.Attribute, strconv.Quote(runID))
	return replaceBraces(query, func(body string) string {
		if strings.TrimSpace(body) == "" {
			return "{ " + run + " }"
		}
		return "{ " + run + " && (" + body + ") }"
	}, "")
}

// narrowLogQL puts a filter for the run behind each stream selector, { … }, of a LogQL
// query.
func narrowLogQL(query, runID string) string {
	if runID == "" {
		return query
	}
	return replaceBraces(query, func(body string) string {
		return "{" + body + "} | " + runid.Label + "=" + strconv.Quote(runID)
	}, "#")
}

// replaceBraces replaces what stands in braces, outside of strings and of comments, which
// begin with comment and end with the line. Braces do not nest in either language; when one
// does not close, the query stays as it is.
func replaceBraces(query string, replace func(body string) string, comment string) string {
	var out strings.Builder
	open := -1
	for i := 0; i < len(query); {
		skipped := skip(query[i:], comment)
		switch c := query[i]; {
		case skipped > 0:
			if open < 0 {
				out.WriteString(query[i : i+skipped])
			}
			i += skipped
			continue
		case c == '{' && open < 0:
			open = i + 1
		case c == '}' && open >= 0:
			out.WriteString(replace(query[open:i]))
			open = -1
		case open < 0:
			out.WriteByte(c)
		}
		i++
	}
	if open >= 0 {
		return query
	}
	return out.String()
}

// skip returns the length of the string or comment that text begins with, or 0.
func skip(text, comment string) int {
	if comment != "" && strings.HasPrefix(text, comment) {
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return end
		}
		return len(text)
	}
	quote := text[0]
	if quote != '"' && quote != '\'' && quote != '`' {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote != '`':
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// promQL parses what Mimir parses, with what is experimental.
var promQL = parser.NewParser(parser.Options{
	EnableExperimentalFunctions: true, ExperimentalDurationExpr: true,
	EnableExtendedRangeSelectors: true, EnableBinopFillModifiers: true,
})

// narrowPromQL adds a matcher for the run to each selector of a PromQL expression, unless
// the selector has one of its own.
func narrowPromQL(query, runID string) (string, error) {
	expr, err := promQL.ParseExpr(query)
	if err != nil || runID == "" {
		return query, err
	}
	for _, selector := range selectors(expr) {
		if matcherOf(selector, runid.Label) == nil {
			selector.LabelMatchers = append(selector.LabelMatchers, labels.MustNewMatcher(labels.MatchEqual, runid.Label, runID))
		}
	}
	return expr.String(), nil
}

// selectors are the selectors of an expression, in their order.
func selectors(expr parser.Expr) []*parser.VectorSelector {
	var all []*parser.VectorSelector
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			all = append(all, selector)
		}
		return nil
	})
	return all
}

func matcherOf(selector *parser.VectorSelector, name string) *labels.Matcher {
	for _, m := range selector.LabelMatchers {
		if m.Name == name {
			return m
		}
	}
	return nil
}
