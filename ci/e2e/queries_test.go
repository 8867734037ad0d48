package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// parsers are the running programs that parse each language.
func (l *testLab) parsers() map[string]func(context.Context, string) error {
	return map[string]func(context.Context, string) error{
		"logql":   query.Loki{URL: l.addresses.Loki, HTTP: client}.Parse,
		"promql":  query.Mimir{URL: l.addresses.Mimir, HTTP: client}.Parse,
		"traceql": query.Tempo{URL: l.addresses.Tempo, HTTP: client}.Parse,
	}
}

// Loki, Mimir and Tempo parse every query that the project shows to people. They refuse, with
// an error of their own, text that is not in their language.
func TestShownQueriesParse(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	all := shownQueries(t)
	samples := map[string]string{
		"promql":  `sum by (job) (rate(up{job="a"}[5m]))`,
		"logql":   `sum by (level) (count_over_time({job="a"} |= "x" | duration_ms > 100 [5m]))`,
		"traceql": `{ resource.service.name = "a" && duration > 3ms } | select(span.http.route)`,
	}
	for language, parse := range l.parsers() {
		t.Run(language, func(t *testing.T) {
			for _, q := range all[language] {
				if err := parse(t.Context(), q.text); err != nil {
					t.Errorf("%s:\n%s\n%v", q.from, q.text, err)
				}
			}
			t.Logf("%d queries", len(all[language]))

			good := samples[language]
			if err := parse(t.Context(), good); err != nil {
				t.Errorf("a good one: %s: %v", good, err)
			}
			broken := []string{good[:len(good)-1], ""}
			for other, text := range samples {
				if other != language {
					broken = append(broken, text)
				}
			}
			for _, text := range broken {
				err := parse(t.Context(), text)
				if err == nil {
					t.Errorf("%q is no %s, and is taken for it", text, language)
				} else if text != "" && !strings.Contains(err.Error(), "parse error") {
					t.Errorf("%q: the error %q does not say where the query is wrong", text, err)
				}
			}
		})
	}
}

// shownQueries finds queries of each expected language in each place.
func TestShownQueriesPlaces(t *testing.T) {
	all := shownQueries(t)
	for place, languages := range map[string][]string{
		"overview.json": {"promql", "logql", "traceql"}, "performance.json": {"promql", "traceql"}, "stack.json": {"promql"},
		"config/grafana/":         {"promql", "logql"},
		"config/mimir/rules/":     {"promql"},
		"docs/runbooks/":          {"promql", "logql", "traceql"},
		"docs/getting-started.md": {"promql", "logql", "traceql"},
		"README.md":               {"promql", "logql", "traceql"},
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

// queriesInPage finds a query in each of the ways in which a page shows one, and finds
// nothing else.
func TestQueriesInPage(t *testing.T) {
	const page = "a\n```promql\nup\n== 0\n```\n```sh\nls\n```\n" +
		"    curl -sG localhost:3100/loki/api/v1/query_range --data-urlencode 'query={a=\"b\"}'\n" +
		"    curl -sG localhost:3200/api/search --data-urlencode 'q={ duration > 1s }'\n" +
		"    curl -sG localhost:9009/prometheus/api/v1/query \\\n      --data-urlencode start=1 --data-urlencode \\\n      'query=up{x=\"y\"}'\n" +
		"| logs | Loki: `{c=\"d\"}`, with the label `level` |\n| Tempo | `{ duration > 500ms }` | open a trace |\n" +
		"| Tempo | *Service Graph* | `frontend` |\nLoki, `{e=\"f\"}`\n"
	var found []string
	queriesInPage(page, func(language, text string) { found = append(found, language+" "+text) })
	want := []string{
		"promql up\n== 0", `logql {a="b"}`, "traceql { duration > 1s }", `promql up{x="y"}`,
		`logql {c="d"}`, "traceql { duration > 500ms }", `logql {e="f"}`,
	}
	if strings.Join(found, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
}
