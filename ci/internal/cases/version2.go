package cases

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxIncludes bounds how deep templates include templates.
const maxIncludes = 10

// version2 reads a file of version 2: the cases of its matrix, or one, or none when it is a
// template for others.
func (r *reader) version2(f field) []Case {
	if f.get("oats-template").flag() {
		return nil
	}
	before := len(r.problems)
	parts := r.included(f, nil)
	if len(r.problems) > before {
		return nil
	}
	var entries []field
	for _, part := range parts {
		entries = append(entries, part.get("matrix").items()...)
	}
	if len(entries) == 0 {
		return []Case{r.variant(f, parts, field{})}
	}
	var all []Case
	for _, entry := range entries {
		all = append(all, r.variant(f, parts, entry))
	}
	return all
}

// included returns the file and the templates that it includes, in their order.
func (r *reader) included(f field, within []string) []field {
	parts := []field{f}
	for _, include := range f.get("include").items() {
		path := filepath.Join(filepath.Dir(f.file), filepath.FromSlash(include.text()))
		if slices.Contains(within, path) || len(within) > maxIncludes {
			r.fail(include, "includes itself by way of others")
			return parts
		}
		root, problem := readDocument(path)
		if problem != nil {
			r.fail(include, "%v", *problem)
			continue
		}
		template := field{path, "", root}
		if grammarOf(root) != caseFileV2 || !template.get("oats-template").flag() {
			r.fail(include, "%s is no template; a template has oats-schema-version: 2 and oats-template: true", include.text())
			continue
		}
		if problems := validate(path, root, caseFileV2); problems != nil {
			r.problems = append(r.problems, problems...)
			continue
		}
		parts = append(parts, r.included(template, append(within, f.file, path))...)
	}
	return parts
}

// variant reads the case that the parts make for one entry of the matrix.
func (r *reader) variant(f field, parts []field, entry field) Case {
	c := Case{Name: nameOf(f.file), At: f.at(), Version: 2}
	name := entry.get("name").text()
	if entry.there() {
		c.Name += " [" + name + "]"
	}
	for _, part := range parts {
		if c.Interval == 0 {
			c.Interval = part.get("interval").duration()
		}
		if c.Fixture.Kind == "" {
			c.Fixture = fixtureV2(part)
		}
		for _, in := range part.get("input").items() {
			c.Input = append(c.Input, r.input(in))
		}
		r.expectedV2(&c.Expected, part.get("expected"), entry)
	}
	if entry.get("docker-compose").there() || entry.get("kubernetes").there() {
		c.Fixture = fixtureV2(entry)
	}
	if c.Expected.empty() {
		r.fail(f, "expects nothing; write what must be there under expected")
	}
	return c
}

func fixtureV2(f field) Fixture {
	if k := f.get("kubernetes"); k.there() {
		return Fixture{Kind: K3D, At: k.at(), Cluster: &Cluster{
			K8sDir: k.get("dir").text(), AppService: k.get("app-service").text(),
			AppDockerFile: k.get("app-docker-file").text(), AppDockerContext: k.get("app-docker-context").text(),
			AppDockerTag: k.get("app-docker-tag").text(), AppPort: k.get("app-docker-port").integer(),
			ImportImages: k.get("import-images").texts(),
		}}
	}
	if compose := f.get("docker-compose"); compose.there() {
		return Fixture{Kind: Compose, At: compose.at(), Template: "lgtm", Files: compose.get("files").texts(), Env: compose.get("env").texts()}
	}
	return Fixture{}
}

// expectedV2 adds what a file of version 2 expects.
func (r *reader) expectedV2(e *Expected, f field, entry field) {
	applies := func(f field) bool {
		condition := f.get("matrix-condition")
		if !condition.there() || !entry.there() {
			return true
		}
		re := r.regexp(condition, condition.text())
		return re == nil || re.MatchString(entry.get("name").text())
	}
	e.ComposeLogs = append(e.ComposeLogs, f.get("compose-logs").texts()...)
	for _, t := range f.get("traces").items() {
		if applies(t) {
			rules := r.rulesV2(t)
			spans := rules.Match
			rules.Match = nil
			e.Traces = append(e.Traces, TracesExpectation{queryOf(t.get("traceql")), spans, rules})
		}
	}
	for _, l := range f.get("logs").items() {
		if applies(l) {
			e.Logs = append(e.Logs, LogsExpectation{queryOf(l.get("logql")), r.rulesV2(l)})
		}
	}
	for _, m := range f.get("metrics").items() {
		if applies(m) {
			query := queryOf(m.get("promql"))
			query.Text = dashboardVariables.ReplaceAllString(query.Text, ".*")
			e.Metrics = append(e.Metrics, MetricsExpectation{Query: query, Value: r.comparison(m.get("value"))})
		}
	}
	for _, p := range f.get("profiles").items() {
		if applies(p) {
			e.Profiles = append(e.Profiles, ProfilesExpectation{Query: queryOf(p.get("query"))})
		}
	}
	for _, c := range f.get("custom-checks").items() {
		if applies(c) {
			e.CustomChecks = append(e.CustomChecks, customCheck(c))
		}
	}
}

// dashboardVariables stand for any value in the queries of version 2, so that they can be
// those of a dashboard.
var dashboardVariables = regexp.MustCompile(`\$(job|instance|pod|namespace|container)`)

// rulesV2 reads the rules of version 2 as those of version 3.
func (r *reader) rulesV2(f field) Rules {
	rules := Rules{Contains: f.get("contains").texts(), NotContains: f.get("not_contains").texts()}
	m := Match{At: f.at(), NoOthers: f.get("no-extra-attributes").flag()}
	name := f.get("equals")
	if name.there() {
		m.Name = &Pattern{Text: name.text()}
	}
	if expression := f.get("regexp"); expression.there() {
		if m.Name != nil { // both must hold, of one row
			r.fail(expression, "stands beside equals; write one of them")
		}
		m.Name = r.pattern(expression, expression.text(), true)
	}
	for _, form := range []string{"attributes", "attribute-regexp"} {
		if attributes := f.get(form); attributes.is(yaml.MappingNode) {
			for _, key := range keys(attributes.node) {
				value := attributes.get(key)
				m.Attributes = append(m.Attributes, AttributeMatch{key, r.pattern(value, value.text(), form == "attribute-regexp")})
			}
		}
	}
	if m.Name != nil || len(m.Attributes) > 0 || m.NoOthers {
		rules.Match = append(rules.Match, m)
	}
	for _, span := range f.get("spans").items() {
		rules.Match = append(rules.Match, r.spanV2(span))
	}
	if count := f.get("count"); count.there() {
		low, high := count.get("min").integer(), count.get("max").integer()
		switch {
		case low == 0 && high == 0:
			rules.Absent = true
			if len(rules.Match) > 0 { // OATS refuses it, too
				r.fail(count, "with min 0 and max 0 nothing may be found, so that a name or attributes cannot match: put them into the query")
			}
		case high > 0 && high < low:
			r.fail(count, "has a max below its min")
		default:
			rules.Count = []Comparison{{">=", float64(low)}}
			if high > 0 {
				rules.Count = append(rules.Count, Comparison{"<=", float64(high)})
			}
		}
	}
	return rules
}

// spanV2 reads an entry of spans, in which regex: makes an expression of a text.
func (r *reader) spanV2(f field) Match {
	m := Match{At: f.at()}
	pattern := func(f field) *Pattern {
		expression, isRegexp := strings.CutPrefix(f.text(), "regex:")
		return r.pattern(f, expression, isRegexp)
	}
	if name := f.get("name"); name.there() {
		m.Name = pattern(name)
	}
	if attributes := f.get("attributes"); attributes.there() {
		for _, key := range keys(attributes.node) {
			m.Attributes = append(m.Attributes, AttributeMatch{key, pattern(attributes.get(key))})
		}
	}
	if m.Name == nil && len(m.Attributes) == 0 {
		r.fail(f, "is true of every span; write a name or attributes")
	}
	return m
}
