package cases

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A reader makes a case of a document that the grammar has been found true of, and
// collects what is wrong in ways that the grammar cannot say.
type reader struct {
	problems []Problem
}

func (r *reader) fail(f field, format string, args ...any) {
	r.problems = append(r.problems, Problem{f.at(), f.path, fmt.Sprintf(format, args...)})
}

// casesOf reads the cases of one file: one of version 3, or as many of version 2 as its
// matrix has entries, and none for a template. The tags are added to theirs.
func (r *reader) casesOf(path string, root *yaml.Node, tags []string) []Case {
	g := grammarOf(root)
	if problems := validate(path, root, g); problems != nil {
		r.problems = append(r.problems, problems...)
		return nil
	}
	before := len(r.problems)
	f := field{path, "", root}
	var all []Case
	if g == caseFileV2 {
		all = r.version2(f)
	} else {
		all = []Case{r.version3(f)}
	}
	if len(r.problems) > before {
		return nil
	}
	for i := range all {
		all[i].Tags = append(all[i].Tags, tags...)
	}
	return all
}

// version3 reads a case of version 3.
func (r *reader) version3(f field) Case {
	c := Case{
		Name: strings.TrimSpace(f.get("name").text()), Tags: f.get("tags").texts(), Interval: f.get("interval").duration(),
		Fixture: r.fixture(f.get("fixture")), Run: r.run(f.get("run")), Seed: r.seed(f.get("seed")),
		Expected: r.expected(f.get("expected")), At: f.at(), Version: 3,
	}
	for _, in := range f.get("input").items() {
		c.Input = append(c.Input, r.input(in))
	}
	r.agree(f, c)
	return c
}

// agree holds the parts of a case against one another.
func (r *reader) agree(f field, c Case) {
	if c.Name == "" {
		r.fail(f.get("name"), "is empty; write what the case is called")
	}
	if c.Run != nil && !c.Fixture.StackOnly() {
		r.fail(f.get("run"), "a case has an application as a command or in a fixture, not both")
	}
	for i, in := range c.Input {
		if in.Container != nil && c.Fixture.Kind != Compose {
			r.fail(f.get("input").items()[i].get("compose"), "needs a fixture of kind compose")
		}
	}
	if c.Expected.Complete != nil && !driven(c.Input) {
		r.fail(f.get("expected").get("complete"), "needs an input with a request, for it is about the input's requests")
	}
}

// driven reports whether there is a request among the input.
func driven(input []Input) bool {
	for _, in := range input {
		if in.Container == nil {
			return true
		}
	}
	return false
}

func (r *reader) fixture(f field) Fixture {
	fixture := Fixture{At: f.at()}
	if f.is(yaml.ScalarNode) {
		fixture.Kind = Remote
	}
	if remote := f.get("remote"); remote.there() {
		fixture.Kind, fixture.Endpoint = Remote, remote.get("endpoint").text()
	}
	if compose := f.get("compose"); compose.there() {
		fixture.Kind = Compose
		fixture.Template = or(compose.get("template").text(), "lgtm")
		fixture.Files = append(compose.get("file").texts(), compose.get("files").texts()...)
		fixture.Env = compose.get("env").texts()
		fixture.AppService, fixture.AppPort = compose.get("app_service").text(), compose.get("app_port").integer()
		switch {
		case compose.get("file").there() && compose.get("files").there():
			r.fail(compose, "has file and files; write one of them")
		case fixture.Template == "none" && len(fixture.Files) == 0:
			r.fail(compose, "template none needs file or files: there is nothing to start")
		}
	}
	if k3d := f.get("k3d"); k3d.there() {
		fixture.Kind = K3D
		fixture.Cluster = &Cluster{
			K8sDir: k3d.get("k8s_dir").text(), AppService: k3d.get("app_service").text(),
			AppDockerFile: k3d.get("app_docker_file").text(), AppDockerContext: k3d.get("app_docker_context").text(),
			AppDockerTag: k3d.get("app_docker_tag").text(), AppPort: k3d.get("app_port").integer(),
			ImportImages: k3d.get("import_images").texts(), PoolSize: k3d.get("pool_size").integer(),
		}
	}
	return fixture
}

func (r *reader) run(f field) *Run {
	if !f.there() {
		return nil
	}
	command := f.get("command")
	if !f.is(yaml.MappingNode) {
		command = f
	}
	run := &Run{
		At: f.at(), Command: command.texts(), Shell: command.is(yaml.ScalarNode),
		Dir: f.get("dir").text(), Env: f.get("env").textMap(), Ready: f.get("ready").text(),
		Service: f.get("service").text(), Protocol: f.get("protocol").text(),
	}
	if strings.TrimSpace(run.Command[0]) == "" {
		r.fail(command, "is empty; write the command that starts the application")
	}
	return run
}

func (r *reader) seed(f field) Seed {
	s := Seed{Inline: f.get("type").text() == "inline-otlp"}
	for _, t := range f.get("traces").items() {
		trace := SeedTrace{Service: t.get("service").text()}
		for _, span := range t.get("spans").items() {
			duration := span.get("duration").duration()
			if !span.get("duration").there() {
				duration = defaultDuration
			}
			trace.Spans = append(trace.Spans, SeedSpan{span.get("name").text(), max(1, span.get("kind").integer()), duration})
		}
		s.Traces = append(s.Traces, trace)
	}
	for _, l := range f.get("logs").items() {
		log := SeedLog{l.get("service").text(), l.get("body").text(), l.get("severity_number").integer(), or(l.get("severity_text").text(), "INFO")}
		if log.SeverityNumber == 0 {
			log.SeverityNumber = 9
		}
		s.Logs = append(s.Logs, log)
	}
	for _, m := range f.get("metrics").items() {
		var value int64
		if err := m.get("value").node.Decode(&value); err != nil {
			r.fail(m.get("value"), "does not fit into 64 bits")
		}
		s.Metrics = append(s.Metrics, SeedMetric{m.get("service").text(), m.get("name").text(), value})
	}
	n := len(s.Traces) + len(s.Logs) + len(s.Metrics)
	switch {
	case s.Inline && n == 0:
		r.fail(f, "inline-otlp needs at least one trace, log or metric to send")
	case !s.Inline && n > 0:
		r.fail(f, "has telemetry to send; write type: inline-otlp")
	}
	return s
}

func (r *reader) input(f field) Input {
	if c := f.get("compose"); c.there() {
		for _, key := range keys(f.node) {
			if key != "compose" {
				r.fail(f.get(key), "does not go with compose: an input is a request or a command in a container")
			}
		}
		return Input{At: f.at(), Count: 1, Container: &ContainerInput{c.get("service").text(), c.get("command").texts()}}
	}
	in := Input{
		At: f.at(), Scheme: strings.ToLower(f.get("scheme").text()), Host: f.get("host").text(),
		Method: strings.ToUpper(or(f.get("method").text(), "GET")), Path: f.get("path").text(),
		Headers: f.get("headers").textMap(), Body: f.get("body").text(), Status: 200, Count: 1,
	}
	many := f.get("count").there() || f.get("rate").there()
	switch {
	case in.Path == "" && many:
		in.Path = "/"
	case in.Path == "":
		r.fail(f, "the key path is missing")
	case !strings.HasPrefix(in.Path, "/"):
		r.fail(f.get("path"), "must begin with /")
	}
	if status := f.get("status"); status.there() {
		in.Status, _ = strconv.Atoi(status.text()) // the grammar has seen to it
	}
	if f.get("count").there() {
		in.Count = f.get("count").integer()
	}
	if rate := f.get("rate"); rate.there() {
		_ = rate.node.Decode(&in.Rate) // the grammar has seen to it
	}
	if retry := f.get("retry"); retry.there() {
		in.Retry = &Retry{retry.get("timeout").duration(), retry.get("interval").duration()}
	}
	return in
}

// regexp compiles an RE2 expression. Whatever it is, RE2 matches in a time that grows with
// the text's length only.
func (r *reader) regexp(f field, expression string) *regexp.Regexp {
	re, err := regexp.Compile(expression)
	if err != nil {
		r.fail(f, "%s; expressions are RE2's", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re
}

func (r *reader) comparison(f field) *Comparison {
	if !f.there() {
		return nil
	}
	c, err := ParseComparison(f.text())
	if err != nil {
		r.fail(f, "%v", err)
	}
	return &c
}

// nameOf makes a name of a file's: that of its folder where the file's own says nothing.
func nameOf(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	name = strings.TrimSuffix(name, ".oats")
	switch name {
	case "oats", "oats-case", "case", "telemetry":
		if folder := filepath.Base(filepath.Dir(path)); folder != "." && folder != string(filepath.Separator) {
			name = folder
		}
	}
	return strings.TrimSpace(strings.NewReplacer("-", " ", "_", " ").Replace(name))
}
