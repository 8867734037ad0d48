package judge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// maxLines bounds the lines of one answer: Loki gives no more at a time.
const maxLines = 5000

// Logs judges an expectation of log lines. The rows of a LogQL metric query are its series.
func Logs(ctx context.Context, stores query.Stores, e cases.LogsExpectation, scope Scope) Verdict {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	v := Verdict{Query: narrowLogQL(e.Query.Text, scope.RunID)}
	a, err := logsAnswer(ctx, stores.Loki, v.Query, scope)
	if err != nil {
		v.failed(ctx, err, "Loki", func(ctx context.Context) error { return stores.Loki.Parse(ctx, e.Query.Text) })
		return v
	}
	a.apply(e.Rules, false, &v)
	if scope.Explain && len(v.Failures) > 0 && len(a.rows) == 0 {
		explainLogs(ctx, stores, e.Query.Text, scope, &v)
	}
	return v.finish()
}

func logsAnswer(ctx context.Context, loki query.Loki, logQL string, scope Scope) (answer, error) {
	lines, err := loki.Latest(ctx, logQL, scope.from(), scope.to(), maxLines)
	if err == nil {
		return linesAnswer(lines), nil
	}
	if query.Refused(err) || !strings.Contains(err.Error(), "not streams") {
		return answer{}, err
	}
	series, err := loki.At(ctx, logQL, scope.to())
	if err != nil {
		return answer{}, err
	}
	return seriesAnswer(series), nil
}

// linesAnswer has a row for each line, the oldest first: the line with its labels.
func linesAnswer(lines []query.Line) answer {
	a := answer{what: "line", more: len(lines) == maxLines}
	var text strings.Builder
	for _, line := range slices.Backward(lines) {
		attributes := maps.Clone(line.Labels)
		delete(attributes, runid.Label)
		a.rows = append(a.rows, row{name: line.Text, attributes: attributes})
		text.WriteString(line.Text + "  " + labelText(line.Labels) + "\n")
	}
	a.text = text.String()
	return a
}

// explainLogs says which lines there are instead, and which labels of the selector differ.
func explainLogs(ctx context.Context, stores query.Stores, original string, scope Scope, v *Verdict) {
	lines, err := stores.Loki.Latest(ctx, narrowLogQL(anyLine, scope.RunID), scope.from(), scope.to(), 1000)
	if err != nil {
		return
	}
	if len(lines) == 0 {
		v.attach(append([]string{"the run has sent no log line at all"}, others(scope, func() (int, error) {
			all, err := stores.Loki.Latest(ctx, original, scope.Since, scope.to(), 20)
			return len(all), err
		}, "line")...))
		return
	}
	var told []string
	for _, m := range firstSelector(original) {
		values := map[string]bool{}
		matched := false
		for _, line := range lines {
			values[line.Labels[m.Name]] = true
			matched = matched || m.Matches(line.Labels[m.Name])
		}
		if !matched {
			told = append(told, fmt.Sprintf("no line of the run has %s; %s", m, is(m.Name, values)))
		}
	}
	if told == nil {
		told = append(told, fmt.Sprintf("the run has sent %s, which the query's filters leave out:", counted(len(lines), "line")))
	} else {
		told = append(told, "lines of the run:")
	}
	v.attach(append(told, firstLines(linesAnswer(lines[:min(len(lines), 3)]).text)...))
}

// is says which values a label has.
func is(name string, values map[string]bool) string {
	all := slices.Sorted(maps.Keys(values))
	if len(all) == 1 && all[0] == "" {
		return name + " is not there"
	}
	var quoted []string
	for _, value := range all[:min(len(all), maxNearest)] {
		quoted = append(quoted, fmt.Sprintf("%q", short(value)))
	}
	if len(all) > maxNearest {
		quoted = append(quoted, "…")
	}
	return name + " is " + strings.Join(quoted, ", ")
}

// firstSelector returns the matchers of a LogQL query's first stream selector, which are
// written as PromQL's; none when they cannot be read.
func firstSelector(logQL string) []*labels.Matcher {
	var selector string
	replaceBraces(logQL, func(body string) string {
		if selector == "" {
			selector = "{" + body + "}"
		}
		return ""
	}, "#")
	expr, err := promQL.ParseExpr(selector)
	if err != nil {
		return nil
	}
	if vector, ok := expr.(*parser.VectorSelector); ok {
		return vector.LabelMatchers
	}
	return nil
}
