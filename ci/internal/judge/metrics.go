package judge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Metrics judges an expectation of series.
func Metrics(ctx context.Context, stores query.Stores, e cases.MetricsExpectation, scope Scope) Verdict {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	v := Verdict{Query: e.Query.Text}
	narrowed, err := narrowPromQL(e.Query.Text, scope.RunID)
	if err != nil {
		v.Final = true
		refusal := stores.Mimir.Parse(ctx, e.Query.Text)
		if !query.Refused(refusal) {
			refusal = err // Mimir takes it, or cannot be asked; but it cannot be narrowed
		}
		v.Failures = []Failure{{Rule: "query", Message: "Mimir refuses the query: " + words(refusal)}}
		return v
	}
	v.Query = narrowed
	series, err := stores.Mimir.At(ctx, narrowed, time.Now())
	if err != nil {
		v.failed(ctx, err, "Mimir", func(ctx context.Context) error { return stores.Mimir.Parse(ctx, e.Query.Text) })
		return v
	}
	a := seriesAnswer(series)
	a.apply(e.Rules, e.Value != nil, &v)
	if e.Value != nil {
		v.value(*e.Value, series, a)
	}
	if scope.Explain && len(v.Failures) > 0 && len(series) == 0 {
		explainMetrics(ctx, stores.Mimir, e.Query.Text, scope, &v)
	}
	return v.finish()
}

// seriesAnswer has a row for each series, in the order of their labels: Mimir's order
// differs from one answer to the next.
func seriesAnswer(series []query.Series) answer {
	slices.SortStableFunc(series, func(a, b query.Series) int { return strings.Compare(seriesText(a), seriesText(b)) })
	a := answer{what: "series"}
	var text strings.Builder
	for _, s := range series {
		attributes := maps.Clone(s.Labels)
		delete(attributes, runid.Label)
		a.rows = append(a.rows, row{name: s.Labels["__name__"], attributes: attributes})
		text.WriteString(seriesText(s) + "\n")
	}
	a.text = text.String()
	return a
}

func seriesText(s query.Series) string {
	text := s.Labels["__name__"] + labelText(s.Labels)
	if n := len(s.Points); n > 0 {
		text += " " + number(s.Points[n-1].Value)
	}
	return text
}

// metricName is the label that a series' name is.
const metricName = "__name__"

func number(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

// value holds a comparison against the value of the first series.
func (v *Verdict) value(c cases.Comparison, series []query.Series, a answer) {
	if len(series) == 0 {
		v.Failures = append(v.Failures, Failure{Rule: "value", Message: fmt.Sprintf("expected a value %s, and the query finds no series", c)})
		return
	}
	value := series[0].Points[len(series[0].Points)-1].Value
	if c.Holds(value) {
		return
	}
	message := fmt.Sprintf("expected %s, found %s", c, number(value))
	if len(series) > 1 {
		message += fmt.Sprintf(", the value of the first of %s; sum() makes one value of them", counted(len(series), "series"))
	}
	v.Failures = append(v.Failures, Failure{"value", message, firstLines(a.text)})
}

// explainMetrics says of each selector of the query which series there are instead: those
// of the name with other labels, or names that are alike.
func explainMetrics(ctx context.Context, mimir query.Mimir, original string, scope Scope, v *Verdict) {
	expr, err := promQL.ParseExpr(original)
	if err != nil {
		return
	}
	var lines []string
	for _, selector := range selectors(expr) {
		name := selector.Name
		if m := matcherOf(selector, metricName); name == "" && m != nil && m.Type == labels.MatchEqual {
			name = m.Value
		}
		if name == "" {
			continue
		}
		lines = append(lines, explainSelector(ctx, mimir, name, selector, scope)...)
	}
	v.attach(lines)
}

func explainSelector(ctx context.Context, mimir query.Mimir, name string, selector *parser.VectorSelector, scope Scope) []string {
	run := ""
	if scope.RunID != "" {
		run = runid.Label + "=" + strconv.Quote(scope.RunID)
	}
	series, err := mimir.At(ctx, "{__name__="+strconv.Quote(name)+","+run+"}", time.Now())
	if err != nil {
		return nil
	}
	if len(series) > 0 {
		return labelDifferences(name, selector, series)
	}
	names, err := mimir.LabelValues(ctx, metricName, "{__name__!=\"\","+run+"}", scope.from(), scope.to())
	if err != nil {
		return nil
	}
	if len(names) == 0 {
		return append([]string{"the run has sent no metric at all"}, others(scope, func() (int, error) {
			all, err := mimir.At(ctx, selector.String(), time.Now())
			return len(all), err
		}, "series")...)
	}
	near := slices.Clone(names)
	slices.SortStableFunc(near, func(a, b string) int {
		switch x, y := alike(name, a), alike(name, b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	text := fmt.Sprintf("the run has no metric %s; the names that are nearest: %s", name, strings.Join(near[:min(len(near), maxNearest)], ", "))
	if more := len(near) - maxNearest; more > 0 {
		text += fmt.Sprintf(" … and %d others", more)
	}
	return []string{text}
}

// labelDifferences says which of a selector's matchers no series of the name meets.
func labelDifferences(name string, selector *parser.VectorSelector, series []query.Series) []string {
	var lines []string
	for _, m := range selector.LabelMatchers {
		values := map[string]bool{}
		matched := false
		for _, s := range series {
			values[s.Labels[m.Name]] = true
			matched = matched || m.Matches(s.Labels[m.Name])
		}
		if !matched {
			line := fmt.Sprintf("%s has no series with %s; %s", name, m, is(m.Name, values))
			if key := likeliest(m.Name, slices.Sorted(maps.Keys(series[0].Labels))); len(values) == 1 && values[""] && key != "" {
				others := map[string]bool{}
				for _, s := range series {
					others[s.Labels[key]] = true
				}
				line += ", but " + is(key, others)
			}
			lines = append(lines, line)
		}
	}
	if lines == nil {
		lines = append(lines, fmt.Sprintf("%s has series, but the expression leaves none of them:", name))
	}
	return append(lines, firstLines(seriesAnswer(series).text)...)
}
