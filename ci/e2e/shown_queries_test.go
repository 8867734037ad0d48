package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A shownQuery is a query that the project shows to people, with the place where it is shown.
type shownQuery struct{ from, text string }

// shownQueries returns these queries by language: promql, logql, traceql. They are in the
// dashboards, the rules, the links between Grafana's data sources, and the pages. The queries
// of `lab verify` are not among them, because each of its runs sends them.
func shownQueries(t *testing.T) map[string][]shownQuery {
	t.Helper()
	all := map[string][]shownQuery{}
	add := func(language, from, text string) { all[language] = append(all[language], shownQuery{from, text}) }
	inDashboards(t, add)
	inRules(t, add)
	inLinks(t, add)
	inPages(t, add)
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
					language = "promql" // it selects the metrics from which the map is drawn
				}
				text := q.Fill(d.Values(nil), 10*time.Second, 30*time.Minute)
				if text == "" && q.QueryType == dashboards.TempoServiceMap {
					continue // the whole map
				}
				add(language, fmt.Sprintf("%s, panel %q, query %s", d.File, p.Title, q.RefID), text)
			}
		}
	}
}

func inRules(t *testing.T, add func(language, from, text string)) {
	t.Helper()
	groups, err := rules.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			add("promql", "config/mimir/rules/"+g.File+", "+r.Name(), r.Expr)
		}
	}
}

// inLinks adds the queries that lead from one data source to another.
func inLinks(t *testing.T, add func(language, from, text string)) {
	t.Helper()
	const name = "config/grafana/provisioning/datasources/lab.yaml"
	raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Datasources []struct {
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
	// Grafana replaces these variables. In the file a `$$` is a `$`.
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

// inPages adds the queries of README.md and of every page in docs.
func inPages(t *testing.T, add func(language, from, text string)) {
	t.Helper()
	pages := []string{filepath.Join(root, "README.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		queriesInPage(string(raw), func(language, text string) { add(language, filepath.ToSlash(name), text) })
	}
}

// A page shows a query as a block, ```promql … ```; as the argument of curl; or in
// a sentence or table after the program's name, Loki: `{…}`.
var (
	block    = regexp.MustCompile("(?ms)^```((?:prom|log|trace)ql)\n(.+?)\n```$")
	curl     = regexp.MustCompile(`(?m)curl .*localhost:(3100|3200|9009)/.*--data-urlencode +'(?:query|q)=([^']+)'`)
	sentence = regexp.MustCompile("\\b(Loki|Tempo|Mimir)(?:,|:| \\|) `([^`]+)`")
	// languageOf is the language of the program with that name or port.
	languageOf = map[string]string{
		"Loki": "logql", "3100": "logql", "Tempo": "traceql", "3200": "traceql", "Mimir": "promql", "9009": "promql",
	}
)

// queriesInPage calls add for each query that a page shows.
func queriesInPage(page string, add func(language, text string)) {
	for _, m := range block.FindAllStringSubmatch(page, -1) {
		add(m[1], m[2])
	}
	for _, m := range curl.FindAllStringSubmatch(strings.ReplaceAll(page, "\\\n", " "), -1) {
		add(languageOf[m[1]], m[2])
	}
	for _, m := range sentence.FindAllStringSubmatch(page, -1) {
		add(languageOf[m[1]], m[2])
	}
}
