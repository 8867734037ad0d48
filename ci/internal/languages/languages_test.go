// Package languages holds no code. Its tests have every query in LogQL, TraceQL
// and PromQL that the project shows to people parsed by the parsers of Loki, Tempo
// and Prometheus themselves, without a lab: those of the dashboards, of the links
// between Grafana's data sources, and of the runbooks.
package languages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

const checkout = "../../.."

// A query is one query, and where it is from.
type query struct{ from, text string }

// queries are all of them, by language: promql, logql, traceql.
func queries(t *testing.T) map[string][]query {
	t.Helper()
	all := map[string][]query{}
	add := func(language, from, text string) { all[language] = append(all[language], query{from, text}) }
	inDashboards(t, add)
	inLinks(t, add)
	inRunbooks(t, add)
	return all
}

func inDashboards(t *testing.T, add func(language, from, text string)) {
	t.Helper()
	boards, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	languages := map[string]string{dashboards.Prometheus: "promql", dashboards.Loki: "logql", dashboards.Tempo: "traceql"}
	for _, d := range boards {
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				language := languages[q.Datasource]
				if q.QueryType == dashboards.TempoServiceMap {
					language = "promql" // of the metrics that the map is drawn of
				}
				text := q.Fill(d.Values(nil), 10*time.Second, 30*time.Minute)
				if text == "" && q.QueryType == dashboards.TempoServiceMap {
					continue // all of the map
				}
				add(language, fmt.Sprintf("%s, panel %q, query %s", d.File, p.Title, q.RefID), text)
			}
		}
	}
}

// inLinks adds the queries that lead from one data source to another.
func inLinks(t *testing.T, add func(language, from, text string)) {
	t.Helper()
	const name = "config/grafana/provisioning/datasources/lab.yaml"
	raw, err := os.ReadFile(filepath.Join(checkout, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Datasources []struct {
			Name     string `json:"name"`
			JSONData struct {
				TracesToLogs struct {
					Query string `json:"query"`
				} `json:"tracesToLogsV2"`
				TracesToMetrics struct {
					Queries []struct {
						Name  string `json:"name"`
						Query string `json:"query"`
					} `json:"queries"`
				} `json:"tracesToMetrics"`
			} `json:"jsonData"`
		} `json:"datasources"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	// What Grafana puts in; in the file a `$$` is a `$`.
	fill := strings.NewReplacer("$${__tags}", `service_name="frontend"`, "$$__tags", `service="frontend"`,
		"$${__trace.traceId}", "0af7651916cd43dd8448eb211c80319c")
	for _, d := range file.Datasources {
		if q := d.JSONData.TracesToLogs.Query; q != "" {
			add("logql", name+", from traces to logs", fill.Replace(q))
		}
		for _, q := range d.JSONData.TracesToMetrics.Queries {
			add("promql", fmt.Sprintf("%s, from traces to metrics, %q", name, q.Name), fill.Replace(q.Query))
		}
	}
}

// block is a query in a page: ```promql … ```.
var block = regexp.MustCompile("(?ms)^```(\\w+)\n(.+?)\n```$")

func inRunbooks(t *testing.T, add func(language, from, text string)) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(checkout, "docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(raw), -1) {
			add(m[1], "docs/runbooks/"+filepath.Base(page), m[2])
		}
	}
}

// built is where the parsers are compiled to.
var built string

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "lgtm-lab-parsers-"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// parserOf compiles the parser of the language, in that folder of the checkout,
// unless it is there already.
func parserOf(language, folder string) (path string, err error) {
	path = filepath.Join(built, language+".exe") // Windows wants the ending, the others do not mind
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// So that `go test` sees when it has changed, and takes no result from its cache.
	if err := filepath.WalkDir(filepath.Join(checkout, filepath.FromSlash(folder)), func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "-C", filepath.Join(checkout, filepath.FromSlash(folder)), "build", "-o", path, "./"+language).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// problems asks the parser for what is wrong with each query, "" for nothing. The
// parsers of Loki and Tempo are in the modules of ci/stack: the first time they
// take some minutes to compile.
func problems(t *testing.T, language string, all []query) []string {
	t.Helper()
	texts := make([]string, len(all))
	for i, q := range all {
		texts[i] = q.text
	}
	if language == "promql" {
		found := make([]string, len(texts))
		for i, text := range texts {
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(text); err != nil {
				found[i] = err.Error()
			}
		}
		return found
	}
	program, ok := map[string]string{"logql": "ci/stack/loki", "traceql": "ci/stack/tempo"}[language]
	if !ok {
		t.Fatalf("%s: nobody parses %s", all[0].from, language)
	}
	if testing.Short() {
		t.Skip("compiles the parser of " + language)
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	path, err := parserOf(language, program)
	if err != nil {
		t.Skipf("no parser of %s: go -C %s build ./%s: %v", language, program, language, err)
	}
	cmd := exec.Command(path)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, errs.String())
	}
	var found []string
	if err := json.Unmarshal(out, &found); err != nil || len(found) != len(all) {
		t.Fatalf("%v answered %q: %v", cmd.Args, out, err)
	}
	return found
}

// Every query parses.
func TestQueries(t *testing.T) {
	for language, all := range queries(t) {
		t.Run(language, func(t *testing.T) {
			for i, problem := range problems(t, language, all) {
				if problem != "" {
					t.Errorf("%s:\n%s\n%s", all[i].from, all[i].text, problem)
				}
			}
			t.Logf("%d queries", len(all))
		})
	}
}

// Each parser finds fault with a query that is not of its language, and with none
// that is.
func TestParsers(t *testing.T) {
	samples := map[string]string{
		"promql":  `sum by (job) (rate(up{job="a"}[5m]))`,
		"logql":   `sum by (level) (count_over_time({job="a"} |= "x" | duration_ms > 100 [5m]))`,
		"traceql": `{ resource.service.name = "a" && duration > 3ms } | select(span.http.route)`,
	}
	for language, good := range samples {
		t.Run(language, func(t *testing.T) {
			all := []query{{"a good one", good}, {"cut off", good[:len(good)-1]}, {"empty", ""}}
			for other, text := range samples {
				if other != language {
					all = append(all, query{other, text})
				}
			}
			for i, problem := range problems(t, language, all) {
				if (problem == "") != (i == 0) {
					t.Errorf("%s: %s: %q", all[i].from, all[i].text, problem)
				}
			}
		})
	}
}

// No place is overlooked: each has queries of each language that it should have.
func TestPlaces(t *testing.T) {
	all := queries(t)
	for place, languages := range map[string][]string{
		"overview.json": {"promql", "logql", "traceql"}, "performance.json": {"promql", "traceql"}, "stack.json": {"promql"},
		"config/grafana/": {"promql", "logql"},
		"docs/runbooks/":  {"promql", "logql", "traceql"},
	} {
		for _, language := range languages {
			n := 0
			for _, q := range all[language] {
				if strings.HasPrefix(q.from, place) {
					n++
				}
			}
			if n == 0 {
				t.Errorf("no %s found in %s", language, place)
			}
		}
	}
	if len(all) != 3 {
		t.Errorf("%d languages", len(all))
	}
}
