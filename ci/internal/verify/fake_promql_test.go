package verify

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// lookbackDelta is how old the sample of an instant selector may be in Mimir.
const lookbackDelta = 5 * time.Minute

// parse parses PromQL as Mimir does, and answers what is wrong with it.
func parse(w http.ResponseWriter, text string) (parser.Expr, bool) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		badData(w, err)
	}
	return expr, err == nil
}

func badData(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusBadRequest)
	writeJSON(w, labels{"status": "error", "errorType": "bad_data", "error": err.Error()})
}

// has tells whether the expression has a value at the time: whether its selectors
// select series that have a sample then. It compares no values; that is for what
// verify asks of series one by one, see instant. The lock must be held.
func (f *fake) has(e parser.Expr, at time.Time, window time.Duration) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return f.has(e.Expr, at, window)
	case *parser.AggregateExpr:
		return f.has(e.Expr, at, window)
	case *parser.MatrixSelector:
		return f.has(e.VectorSelector, at, e.Range)
	case *parser.VectorSelector:
		return slices.ContainsFunc(f.selected(e), func(s *series) bool {
			_, _, ok := f.sample(s, at, window)
			return ok
		})
	case *parser.BinaryExpr:
		left, right := f.has(e.LHS, at, window), f.has(e.RHS, at, window)
		switch e.Op {
		case parser.LOR:
			return left || right
		case parser.LUNLESS:
			return left && !right
		}
		return left && right
	case *parser.Call:
		found := !slices.ContainsFunc(e.Args, func(arg parser.Expr) bool { return !f.has(arg, at, window) })
		return found != (e.Func.Name == "absent")
	}
	return true // a number, or a text
}

// selected are the series that a selector selects. The lock must be held.
func (f *fake) selected(e *parser.VectorSelector) (found []*series) {
	for _, s := range f.series {
		matches := f.hidden == nil || !f.hidden(s.labels)
		for _, m := range e.LabelMatchers {
			matches = matches && m.Matches(s.labels[m.Name])
		}
		if matches {
			found = append(found, s)
		}
	}
	return found
}

// value is what every expression is at every time that it has a value.
func (f *fake) value(expr string, at time.Time) []any {
	value := 1.0
	if f.number != nil {
		value = f.number(expr)
	}
	return []any{float64(at.UnixMilli()) / 1000, strconv.FormatFloat(value, 'g', -1, 64)}
}

func (f *fake) queryRange(w http.ResponseWriter, r *http.Request) {
	text := r.FormValue("query")
	expr, ok := parse(w, text)
	if !ok {
		return
	}
	step, _ := strconv.ParseFloat(r.FormValue("step"), 64)
	to := seconds(r.FormValue("end"))
	points := []any{}
	f.mu.Lock()
	for at := seconds(r.FormValue("start")); !at.After(to); at = at.Add(time.Duration(step * float64(time.Second))) {
		if f.has(expr, at, lookbackDelta) {
			points = append(points, f.value(text, at))
		}
	}
	f.mu.Unlock()
	matrix := []any{}
	if len(points) > 0 {
		matrix = append(matrix, map[string]any{"metric": labels{}, "values": points})
	}
	writeData(w, "matrix", matrix)
}

// queryOther evaluates at a time what instant does not.
func (f *fake) queryOther(w http.ResponseWriter, r *http.Request) {
	text, at := r.FormValue("query"), seconds(r.FormValue("time"))
	expr, ok := parse(w, text)
	if !ok {
		return
	}
	vector := []any{}
	f.mu.Lock()
	if f.has(expr, at, lookbackDelta) {
		vector = append(vector, map[string]any{"metric": labels{}, "value": f.value(text, at)})
	}
	f.mu.Unlock()
	writeData(w, "vector", vector)
}

func (f *fake) labelValues(w http.ResponseWriter, r *http.Request) {
	expr, ok := parse(w, r.FormValue("match[]"))
	if !ok {
		return
	}
	values := []string{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.selected(expr.(*parser.VectorSelector)) {
		if value := s.labels[r.PathValue("label")]; value != "" {
			values = append(values, value)
		}
	}
	slices.Sort(values)
	writeJSON(w, map[string]any{"status": "success", "data": slices.Compact(values)})
}

// queryExemplars finds those of all series that the expression selects.
func (f *fake) queryExemplars(w http.ResponseWriter, r *http.Request) {
	expr, ok := parse(w, r.FormValue("query"))
	if !ok {
		return
	}
	from, to := seconds(r.FormValue("start")), seconds(r.FormValue("end"))
	data := []any{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, selector := range parser.ExtractSelectors(expr) {
		for _, e := range f.marks {
			selected := !e.Time.Before(from) && !e.Time.After(to)
			for _, m := range selector {
				selected = selected && m.Matches(e.Series[m.Name])
			}
			if !selected {
				continue
			}
			marks := labels{"trace_id": e.TraceID, "span_id": e.SpanID}
			if e.TraceID == "" {
				marks = labels{"traceID": "1234"} // Tempo's own name for it, which Grafana's link does not know
			}
			data = append(data, map[string]any{"seriesLabels": e.Series, "exemplars": []any{
				map[string]any{"labels": marks, "timestamp": float64(e.Time.UnixMilli()) / 1000, "value": "0.1"}}})
		}
	}
	writeJSON(w, map[string]any{"status": "success", "data": data})
}

// rules are those of the ruler: what the fake is provisioned with, just evaluated.
// The Watchdog fires, as it does always.
func (f *fake) rules(w http.ResponseWriter, _ *http.Request) {
	groups, loaded := []any{}, f.groups
	if f.ruler != nil {
		loaded = f.ruler
	}
	for _, g := range loaded {
		all := []map[string]any{}
		for _, r := range g.Rules {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			if err != nil {
				badData(w, err)
				return
			}
			rule := map[string]any{
				"type": "recording", "name": r.Name(), "query": expr.String(), "labels": r.Labels, "health": "ok", "lastError": "",
				"lastEvaluation": time.Now().Format(time.RFC3339Nano), "duration": r.For.Seconds(),
			}
			if r.Alert != "" {
				rule["type"] = "alerting"
			}
			if r.Alert == watchdog {
				rule["alerts"] = []any{map[string]any{"labels": r.Labels, "state": "firing"}}
			}
			if f.rule != nil {
				f.rule(rule)
			}
			if len(rule) > 0 {
				all = append(all, rule)
			}
		}
		groups = append(groups, map[string]any{"name": g.Name, "file": g.File, "rules": all})
	}
	writeJSON(w, map[string]any{"status": "success", "data": map[string]any{"groups": groups}})
}
