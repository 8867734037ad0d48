package cases

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// expected reads what a case of version 3 expects.
func (r *reader) expected(f field) Expected {
	e := Expected{ComposeLogs: f.get("compose-logs").texts()}
	for _, t := range f.get("traces").items() {
		e.Traces = append(e.Traces, TracesExpectation{queryOf(t.get("traceql")), r.matches(t.get("match_spans")), r.rules(t)})
	}
	for _, l := range f.get("logs").items() {
		e.Logs = append(e.Logs, LogsExpectation{queryOf(l.get("logql")), r.rules(l)})
	}
	for _, m := range f.get("metrics").items() {
		e.Metrics = append(e.Metrics, MetricsExpectation{queryOf(m.get("promql")), r.comparison(m.get("value")), r.rules(m)})
	}
	for _, p := range f.get("profiles").items() {
		e.Profiles = append(e.Profiles, ProfilesExpectation{queryOf(p.get("query")), r.rules(p)})
	}
	for _, c := range f.get("custom-checks").items() {
		e.CustomChecks = append(e.CustomChecks, customCheck(c))
	}
	e.Complete = r.complete(f.get("complete"))
	for _, t := range f.get("trees").items() {
		e.Trees = append(e.Trees, r.tree(t))
	}
	e.Score = r.score(f.get("score"))
	if findings := f.get("findings"); findings.there() {
		e.Findings = &FindingsExpectation{At: findings.at()}
		if findings.is(yaml.SequenceNode) {
			e.Findings.Allowed = findings.texts()
		}
	}
	if e.empty() {
		r.fail(f, "expects nothing; write what must be there, for example traces with a traceql")
	}
	return e
}

func (e Expected) empty() bool {
	return len(e.Traces)+len(e.Logs)+len(e.Metrics)+len(e.Profiles)+len(e.ComposeLogs)+len(e.CustomChecks)+len(e.Trees) == 0 &&
		e.Complete == nil && e.Score == nil && e.Findings == nil
}

func queryOf(f field) Query { return Query{f.at(), f.text(), f.path} }

// customCheck takes a script of several lines, or one that begins with #!, for the script
// itself, as OATS does.
func customCheck(f field) CustomCheck {
	script := f.get("script").text()
	trimmed := strings.TrimSpace(script)
	inline := strings.Contains(trimmed, "\n") || strings.HasPrefix(trimmed, "#!")
	return CustomCheck{f.at(), script, inline}
}

// rules reads the rules that all signals share.
func (r *reader) rules(f field) Rules {
	rules := Rules{
		Contains: f.get("contains").texts(), NotContains: f.get("not_contains").texts(),
		Match: r.matches(f.get("match")), Absent: f.get("absent").flag(),
	}
	for _, expression := range f.get("regex").items() {
		if re := r.regexp(expression, expression.text()); re != nil {
			rules.Regex = append(rules.Regex, re)
		}
	}
	if count := r.comparison(f.get("count")); count != nil {
		rules.Count = []Comparison{*count}
		if rules.Absent && !count.Holds(0) {
			r.fail(f.get("count"), "asks for rows, and absent: true for none")
		}
	}
	if rules.Absent {
		for _, key := range []string{"contains", "regex", "match", "match_spans", "value"} {
			if f.get(key).there() {
				r.fail(f.get(key), "is about what is there, and absent: true asks that nothing is; write two expectations")
			}
		}
	}
	return rules
}

func (r *reader) matches(f field) []Match {
	var all []Match
	for _, item := range f.items() {
		all = append(all, r.match(item))
	}
	return all
}

func (r *reader) match(f field) Match {
	isRegexp := f.get("match_type").text() == "regexp"
	m := Match{At: f.at()}
	if name := f.get("name"); name.there() {
		m.Name = r.pattern(name, name.text(), isRegexp)
	}
	seen := map[string]bool{}
	add := func(f field, key string, value field) {
		if seen[key] {
			r.fail(f, "the attribute %s is there twice", key)
		}
		seen[key] = true
		a := AttributeMatch{Key: key}
		if value.there() {
			a.Value = r.pattern(value, value.text(), isRegexp)
		}
		m.Attributes = append(m.Attributes, a)
	}
	switch attributes := f.get("attributes"); {
	case attributes.is(yaml.SequenceNode):
		for _, a := range attributes.items() {
			add(a, a.get("key").text(), a.get("value"))
		}
	case attributes.is(yaml.MappingNode):
		for _, key := range keys(attributes.node) {
			value := attributes.get(key)
			if value.is(yaml.MappingNode) { // {present: true}
				value.node = nil
			}
			add(attributes.get(key), key, value)
		}
	}
	if m.Name == nil && len(m.Attributes) == 0 {
		r.fail(f, "is true of every row; write a name or attributes")
	}
	return m
}

func (r *reader) pattern(f field, text string, isRegexp bool) *Pattern {
	if !isRegexp {
		return &Pattern{Text: text}
	}
	return &Pattern{text, r.regexp(f, text)}
}

func (r *reader) complete(f field) *Complete {
	if !f.there() {
		return nil
	}
	c := &Complete{At: f.at()}
	if f.is(yaml.SequenceNode) {
		for _, item := range f.items() {
			c.Traces = c.Traces || item.text() == "traces"
			c.Logs = c.Logs || item.text() == "logs"
			c.Metrics = c.Metrics || item.text() == "metrics"
		}
		return c
	}
	asked := func(f field) bool { return f.there() && f.text() != "false" }
	c.Traces, c.Logs, c.Metrics = asked(f.get("traces")), asked(f.get("logs")), asked(f.get("metrics"))
	c.Services = f.get("traces").get("services").texts()
	c.Lines = r.comparison(f.get("logs").get("count"))
	c.Counter = queryOf(f.get("metrics").get("promql"))
	if !c.Traces && !c.Logs && !c.Metrics {
		r.fail(f, "asks for nothing; write at least one of traces, logs and metrics")
	}
	return c
}

func (r *reader) tree(f field) TreeExpectation {
	shape := f.get("tree")
	if f.is(yaml.ScalarNode) {
		shape = f
	}
	e := TreeExpectation{
		At: f.at(), Tree: shape.text(),
		Query: queryOf(f.get("traceql")), Every: f.get("every").flag(),
	}
	if _, line, err := ParseTree(e.Tree); err != nil {
		at := shape.at()
		if shape.node.Style == yaml.LiteralStyle { // its first line is below the bar
			at.Line, at.Column = at.Line+line, 1
		}
		r.problems = append(r.problems, Problem{at, shape.path, err.Error()})
	}
	return e
}

func (r *reader) score(f field) *ScoreExpectation {
	if !f.there() {
		return nil
	}
	s := &ScoreExpectation{At: f.at()}
	if f.is(yaml.ScalarNode) {
		s.All = r.comparison(f)
		return s
	}
	s.Services = map[string]Comparison{}
	for _, service := range keys(f.node) {
		s.Services[service] = *r.comparison(f.get(service))
	}
	return s
}
