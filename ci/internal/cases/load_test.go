package cases

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func load(t *testing.T, path string) []Case {
	t.Helper()
	found, problems := Load([]string{path})
	if len(problems) > 0 {
		t.Fatalf("Load(%s): %v", path, problems)
	}
	return found
}

func TestVersion3(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "version3", "all-keys.yaml")
	c := load(t, path)[0]
	for name, got := range map[string][2]any{
		"interval": {c.Interval, 250 * time.Millisecond},
		"run": {*c.Run, Run{
			At: Position{path, 5, 3}, Command: []string{"node", "app.js", "--port=${PORT}"}, Dir: "app",
			Env: map[string]string{"GREETING": "hello", "DEBUG": "true"}, Ready: "http://127.0.0.1:${PORT}/health",
			Service: "shop", Protocol: "http/protobuf",
		}},
		"spans":      {c.Seed.Traces[0].Spans, []SeedSpan{{"op", 1, 200 * time.Millisecond}, {"op2", 2, time.Second}}},
		"seed logs":  {c.Seed.Logs, []SeedLog{{"a", "line", 9, "INFO"}, {"a", "bad", 17, "ERROR"}}},
		"metrics":    {c.Seed.Metrics, []SeedMetric{{"a", "m", 42}}},
		"method":     {c.Input[0].Method, "POST"},
		"status":     {c.Input[0].Status, 201},
		"retry":      {*c.Input[0].Retry, Retry{time.Minute, 2 * time.Second}},
		"count":      {[]any{c.Input[1].Count, c.Input[1].Rate, c.Input[1].Status, c.Input[0].Count}, []any{50, 20.0, 200, 1}},
		"query":      {c.Expected.Traces[0].Query, Query{Position{path, 26, 16}, `{ name = "x" }`, "expected.traces[0].traceql"}},
		"present":    {c.Expected.Traces[0].MatchSpans[0].Attributes[1], AttributeMatch{Key: "http.request.method"}},
		"attributes": {c.Expected.Traces[0].MatchSpans[1].Attributes, []AttributeMatch{{"service.name", &Pattern{Text: "shop"}}, {Key: "k8s.pod.name"}}},
		"value":      {*c.Expected.Metrics[0].Value, Comparison{"==", 1000}},
		"absent":     {c.Expected.Metrics[1].Absent, true},
		"texts":      {[][]string{c.Expected.Logs[0].Contains, c.Expected.Logs[0].NotContains}, [][]string{{"a", "b"}, {"c"}}},
		"scripts":    {[]bool{c.Expected.CustomChecks[0].Inline, c.Expected.CustomChecks[1].Inline}, []bool{false, true}},
		"complete":   {c.Expected.Complete.Services, []string{"shop", "backend"}},
		"lines":      {*c.Expected.Complete.Lines, Comparison{">=", 2}},
		"counter":    {c.Expected.Complete.Counter.Text, "sum(orders_total)"},
		"every":      {[]bool{c.Expected.Trees[0].Every, c.Expected.Trees[1].Every}, []bool{false, true}},
		"score":      {c.Expected.Score.Services["shop"], Comparison{">=", 75}},
		"findings":   {c.Expected.Findings.Allowed, []string{"clock_skew"}},
	} {
		if !reflect.DeepEqual(got[0], got[1]) {
			t.Errorf("%s: %#v, want %#v", name, got[0], got[1])
		}
	}
}

func TestShortForms(t *testing.T) {
	t.Parallel()
	c, problems := one(t, "name: x\nfixture: remote\nrun: node app.js\ninput: {count: 50, rate: 20}\n"+
		"expected: {complete: {traces, logs, metrics}, findings: none, score: '>= 75', trees: 'a: b'}\n")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	in, e := c[0].Input[0], c[0].Expected
	if in.Path != "/" || in.Count != 50 || in.Rate != 20 || !c[0].Run.Shell || c[0].Fixture.Kind != Remote {
		t.Errorf("input %+v, run %+v, fixture %+v", in, c[0].Run, c[0].Fixture)
	}
	if !e.Complete.Traces || !e.Complete.Logs || !e.Complete.Metrics || e.Findings.Allowed != nil || e.Score.All.Number != 75 || e.Trees[0].Tree != "a: b" {
		t.Errorf("expected %+v", e)
	}
}

func TestVersion2(t *testing.T) {
	t.Parallel()
	found := load(t, filepath.Join("testdata", "version2"))
	if len(found) != 2 || found[0].Name != "version2 [docker]" || found[1].Name != "version2 [k8s]" {
		t.Fatalf("cases %+v, want one for each entry of the matrix", found)
	}
	docker, k8s := found[0], found[1]
	if docker.Fixture.Kind != Compose || docker.Fixture.Files[0] != "other.yaml" || k8s.Fixture.Kind != K3D || k8s.Fixture.Cluster.AppPort != 8080 {
		t.Errorf("fixtures %+v and %+v", docker.Fixture, k8s.Fixture)
	}
	if len(docker.Expected.Traces) != 3 || len(k8s.Expected.Traces) != 2 {
		t.Errorf("%d and %d traces, want 3 and 2: one holds for docker only", len(docker.Expected.Traces), len(k8s.Expected.Traces))
	}
	e := docker.Expected
	if m := e.Traces[0].MatchSpans[0]; m.Name.Regexp == nil || m.Attributes[0].Value.Regexp != nil || m.Attributes[1].Value.Regexp == nil {
		t.Errorf("match %+v", m)
	}
	if got := e.Traces[0].Count; !slices.Equal(got, []Comparison{{">=", 1}, {"<=", 3}}) {
		t.Errorf("count %v", got)
	}
	if m := e.Traces[1].MatchSpans[0]; !m.Name.Matches("GET /x") || m.Attributes[0].Value.Matches("POST") {
		t.Errorf("spans %+v", m)
	}
	if !e.Traces[2].Absent || !e.Logs[0].Match[0].NoOthers {
		t.Errorf("absent %+v, no others %+v", e.Traces[2], e.Logs[0])
	}
	if docker.Input[0].Path != "/stock" || e.Metrics[0].Query.Text != `up{job=~".*"}` {
		t.Errorf("of the template: %+v, %+v", docker.Input, e.Metrics)
	}
}

func TestFoldersAndConfigurations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	minimal := "expected: {logs: [{logql: x}]}\n"
	for path, content := range map[string]string{
		"a/oats-case.yaml":             "name: a\n" + minimal,
		"b/telemetry.yml":              "name: b\n" + minimal,
		"b/deployment.yaml":            "kind: {{ .Values.kind }}\n",
		"node_modules/c/case.yaml":     "name: c\n" + minimal,
		".github/d.yaml":               "name: d\n" + minimal,
		"ignored/.oatsignore":          "",
		"ignored/e.yaml":               "name: e\n" + minimal,
		"project/oats-config.yaml":     "meta: {version: 3}\ncases: ['*/oats-case.yaml']\nsuites: [{name: s, cases: ['f/*.yaml'], tags: [slow]}, {cases: ['g.yaml'], tags: [slow]}]\n",
		"project/f/oats-case.yaml":     "name: f\n" + minimal,
		"project/g.yaml":               "name: g\n" + minimal,
		"project/not-named/other.yaml": "name: h\n" + minimal,
	} {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, content)
	}
	var names []string
	for _, c := range load(t, dir) {
		names = append(names, c.Name+strings.Join(c.Tags, ","))
	}
	if want := []string{"a", "b", "f", "gslow"}; !slices.Equal(names, want) {
		t.Errorf("cases %v, want %v", names, want)
	}
	if again, _ := Load([]string{dir, filepath.Join(dir, "a")}); len(again) != 4 {
		t.Errorf("%d cases of overlapping paths, want each once", len(again))
	}
	config := filepath.Join(dir, "project", ConfigName)
	for content, want := range map[string]string{
		"meta: {version: 2}\ncases: [x]\n":           "meta.version: is the number 2; it must be 3",
		"meta: {version: 3}\ncases: ['no*.yaml']\n":  `cases[0]: no file matches "no*.yaml"`,
		"meta: {version: 3}\ncases: ['[']\n":         `is no glob`,
		"meta: {version: 3}\n":                       "names no cases",
		"meta: {version: 3}\ncase: [x]\ncases: []\n": "the key case is unknown; the nearest known key is cases",
	} {
		write(t, config, content)
		if _, problems := Load([]string{filepath.Dir(config)}); len(problems) != 1 || !strings.Contains(problems[0].Error(), want) {
			t.Errorf("%s: problems %v, want %q", content, problems, want)
		}
	}
}

// An editor holds a file against the whole schema; the reader against the part for its kind
// of file.
func TestSchemaForEditors(t *testing.T) {
	t.Parallel()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("s.json", document); err != nil {
		t.Fatal(err)
	}
	schema := compiler.MustCompile("s.json")
	for path, want := range map[string]bool{
		"version3/all-keys.yaml": true, "version2/case.yaml": true, "version2/template.yaml": true, "bad/keys.yaml": false, "bad/types.yaml": false,
	} {
		root, problem := readDocument(filepath.Join("testdata", filepath.FromSlash(path)))
		if problem != nil {
			t.Fatal(problem)
		}
		if err := schema.Validate(plain(root)); (err == nil) != want {
			t.Errorf("%s: %v, want valid %v", path, err, want)
		}
	}
}

// Every key that the schema knows is in the file with all keys, or in those of version 2 or
// a configuration: so a key that the reader forgets has a place where a test can see it.
func TestAllKeysAreTried(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "version3", "all-keys.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	var collect func(*yaml.Node)
	collect = func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			for _, k := range keys(n) {
				tried[k] = true
			}
		}
		for _, c := range n.Content {
			collect(c)
		}
	}
	collect(&root)
	_, written := compiled()
	definitions := written.(map[string]any)["$defs"].(map[string]any)
	elsewhere := []string{"fixture", "compose", "host", "scheme", "vars"} // with a run they do not go
	for _, name := range []string{"case", "run", "seed", "seed_trace", "seed_log", "seed_metric", "input", "expected", "traces", "logs", "metrics", "match", "complete", "tree"} {
		for _, key := range properties(definitions[name].(map[string]any)) {
			if !tried[key] && !slices.Contains(elsewhere, key) {
				t.Errorf("%s: the key %s is not tried in all-keys.yaml", name, key)
			}
		}
	}
}
