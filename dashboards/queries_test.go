package dashboards

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// variables checks that every variable in a query is known to the dashboard or to Grafana,
// and that every variable of the dashboard is used.
func variables(d Dashboard) []string {
	var found []string
	used := map[string]bool{}
	note := func(where, text string) {
		for _, name := range References(text) {
			used[name] = true
			known := slices.ContainsFunc(d.Variables, func(v Variable) bool { return v.Name == name })
			if !known && !slices.Contains([]string{"__interval", "__interval_ms", "__rate_interval", "__range", "__auto"}, name) {
				found = append(found, fmt.Sprintf("%s: there is no variable $%s", where, name))
			}
		}
	}
	for _, p := range d.Panels {
		for _, q := range p.Queries {
			note(fmt.Sprintf("panel %d, %q", p.ID, p.Title), q.Expr)
		}
	}
	for _, v := range d.Variables {
		note("the variable "+v.Name, v.Query)
	}
	for _, v := range d.Variables {
		if !used[v.Name] {
			found = append(found, fmt.Sprintf("no query uses the variable $%s", v.Name))
		}
		if v.Default == "" {
			found = append(found, fmt.Sprintf("the variable $%s has no first value", v.Name))
		}
		if v.Datasource == Prometheus {
			if err := labelValues(d, v); err != nil {
				found = append(found, fmt.Sprintf("the variable $%s: %v", v.Name, err))
			}
		}
	}
	return found
}

// labelsQuery is the query of a variable: label_values(selector, label).
var labelsQuery = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

func labelValues(d Dashboard, v Variable) error {
	m := labelsQuery.FindStringSubmatch(v.Query)
	if m == nil {
		return fmt.Errorf("%s is not label_values(selector, label)", v.Query)
	}
	_, err := promQL(Query{Expr: m[1]}, d)
	return err
}

// promQL parses a query with the default values of the dashboard's variables.
func promQL(q Query, d Dashboard) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(q.Fill(d.Values(nil), 10*time.Second, 30*time.Minute))
}

// queries checks the queries of a panel. Tests with the real Loki and Tempo parse LogQL
// and TraceQL.
func (c checker) queries(d Dashboard, p Panel) []string {
	var found []string
	seen := map[string]bool{}
	for _, q := range p.Queries {
		problem := func(format string, args ...any) {
			found = append(found, "query "+q.RefID+": "+fmt.Sprintf(format, args...))
		}
		if q.RefID == "" || seen[q.RefID] {
			problem("its letter is missing or another's")
		}
		seen[q.RefID] = true
		if kind, ok := c.sources[q.UID]; !ok || kind != q.Datasource {
			problem("its data source is %s %q; provisioned are %v", q.Datasource, q.UID, c.sources)
		}
		switch q.Datasource {
		case Prometheus:
			expr, err := promQL(q, d)
			if err != nil {
				problem("%v", err)
				continue
			}
			for _, text := range metricProblems(p, q, expr) {
				problem("%s", text)
			}
		case Loki:
			if q.QueryType != LokiRange && q.QueryType != LokiInstant || !strings.HasPrefix(q.Expr, "{") && !strings.Contains(q.Expr, "({") {
				problem("a query of Loki is a range or instant one, with a selector of streams: %q %s", q.QueryType, q.Expr)
			}
		case Tempo:
			if q.QueryType != TempoServiceMap && (q.QueryType != TempoTraceQL || !strings.HasPrefix(q.Expr, "{") || q.Limit == 0) {
				problem("a query of Tempo is a service map, or TraceQL with a limit: %q %s", q.QueryType, q.Expr)
			}
		}
	}
	return found
}

// metricProblems checks that a query fits its panel.
func metricProblems(p Panel, q Query, expr parser.Expr) []string {
	var found []string
	if heat := p.Type == "heatmap"; heat != (q.Format == "heatmap") {
		found = append(found, fmt.Sprintf("the format of a %s is not %s", p.Type, q.Format))
	}
	if table := p.Type == "table"; table != (q.Format == "table") || table != q.Instant {
		found = append(found, "a table, and nothing else, has an instant query of the format table")
	}
	if overlapping.MatchString(q.Expr) {
		found = append(found, "increase over $__rate_interval, which is longer than a step: what is counted is counted in several")
	}
	names := metricNames(expr)
	if q.Exemplar && !slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "_bucket") }) {
		found = append(found, "it asks for exemplars, and only histograms have some")
	}
	if slices.Contains(names, "") {
		found = append(found, "it selects series by no name")
	}
	cluster := slices.ContainsFunc(names, func(n string) bool {
		return strings.HasPrefix(n, "container_") || strings.HasPrefix(n, "kubelet_") || strings.HasPrefix(n, "machine_")
	})
	fallback := false
	if b, ok := expr.(*parser.BinaryExpr); ok {
		fallback = b.Op == parser.LOR
	}
	switch {
	case cluster && !p.InCluster() && !fallback:
		found = append(found, "what nodes measure is only there in a cluster: add `or` with something else, or move it to a row whose title ends in "+Kubernetes)
	case !cluster && p.InCluster():
		found = append(found, "nothing in it needs a cluster: move it out of the row "+p.Row)
	}
	if labels, known := resultLabels(expr); known {
		for _, m := range legendLabel.FindAllStringSubmatch(q.Legend, -1) {
			if !slices.Contains(labels, m[1]) {
				found = append(found, fmt.Sprintf("its legend has {{%s}}, its series have only %v", m[1], labels))
			}
		}
	}
	return found
}

// overlapping is an increase whose windows overlap: $__rate_interval is at least four
// samples long, and a step may be one.
var overlapping = regexp.MustCompile(`increase\([^\[]*\[\$__rate_interval\]`)

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// metricNames returns the names of the metrics that an expression selects, "" for a
// selector without a name.
func metricNames(expr parser.Expr) []string {
	var names []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			names = append(names, v.Name)
		}
		return nil
	})
	return names
}

// resultLabels returns the labels of the expression's series, if the expression alone
// determines them.
func resultLabels(expr parser.Expr) (labels []string, known bool) {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return resultLabels(e.Expr)
	case *parser.StepInvariantExpr:
		return resultLabels(e.Expr)
	case *parser.AggregateExpr:
		return e.Grouping, !e.Without
	case *parser.Call:
		switch e.Func.Name {
		case "histogram_quantile":
			labels, known = resultLabels(e.Args[1])
			return slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == "le" }), known
		case "label_replace":
			labels, known = resultLabels(e.Args[0])
			return append(slices.Clone(labels), e.Args[1].(*parser.StringLiteral).Val), known
		}
		return nil, false
	case *parser.BinaryExpr:
		left, knowLeft := resultLabels(e.LHS)
		right, knowRight := resultLabels(e.RHS)
		switch {
		case e.Op == parser.LOR: // only labels on both sides are always there
			return slices.DeleteFunc(slices.Clone(left), func(l string) bool { return !slices.Contains(right, l) }), knowLeft && knowRight
		case e.LHS.Type() == parser.ValueTypeScalar:
			return right, knowRight
		}
		return left, knowLeft
	}
	return nil, false
}
