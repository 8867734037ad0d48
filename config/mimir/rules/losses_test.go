package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// lossSince is how every record of losses.yaml counts: see the comment there.
func lossSince(selector string, window time.Duration) string {
	return strings.NewReplacer("COUNTER", selector, "WINDOW", model.Duration(window).String(), "SECONDS", fmt.Sprintf("%.0f", window.Seconds())).Replace(`
		(sum(
			(last_over_time(COUNTER[15s]) - (last_over_time(COUNTER[15s] offset WINDOW) or (last_over_time(COUNTER[11h] offset WINDOW) unless on (job, instance) last_over_time(process_start_time_seconds[15s] offset WINDOW))) >= 0
			unless on (job, instance) process_start_time_seconds > time() - SECONDS)
			or last_over_time(COUNTER[15s])
		) or vector(0))`)
}

// countersOf returns the selectors of the counters that a record of losses.yaml adds
// up, in their order.
func countersOf(t *testing.T, r Rule) (selectors []string) {
	t.Helper()
	parser.Inspect(parse(t, r.Expr), func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok && v.Name != "process_start_time_seconds" {
			bare := *v
			bare.OriginalOffset, bare.Offset = 0, 0
			if s := bare.String(); !slices.Contains(selectors, s) {
				selectors = append(selectors, s)
			}
		}
		return nil
	})
	return selectors
}

func parse(t *testing.T, expr string) parser.Expr {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return parsed
}

// Every record of losses.yaml counts in the same way, over the window of its name. That
// way is tested once for all of them, in tests/losses_test.yaml.
func TestLossesAreCountedAlike(t *testing.T) {
	records := 0
	for _, r := range all(t)["losses"] {
		if r.Record == "" {
			continue
		}
		records++
		_, operation, _ := strings.Cut(r.Record, ":increase")
		window, err := model.ParseDuration(operation)
		if err != nil {
			t.Fatalf("%s does not name its window", r.Record)
		}
		var parts []string
		for _, c := range countersOf(t, r) {
			parts = append(parts, lossSince(c, time.Duration(window)))
		}
		want, have := parse(t, strings.Join(parts, " + ")).String(), parse(t, r.Expr).String()
		if have != want {
			t.Errorf("%s %v is\n%s\nwant\n%s", r.Record, r.Labels, have, want)
		}
	}
	if records < 10 {
		t.Errorf("only %d records of losses", records)
	}
}

// Each part of the way in which losses are counted is there for a reason, which a test
// knows: without it, that test fails.
func TestPromtoolNoticesEveryBrokenLoss(t *testing.T) {
	path := needPromtool(t)
	raw, err := os.ReadFile("losses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join("tests", "losses_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ old, new string }{
		"a counter that is new does not count":        {`\n +or last_over_time\(\S+\[15s\]\)`, ""},
		"what was lost before a restart is taken off": {`\n +unless on \(job, instance\) process_start_time_seconds > time\(\) - \d+\)`, ")"},
		"a machine that slept loses all again":        {` or \(last_over_time\(\S+\[11h\] offset \w+\) unless on \(job, instance\) last_over_time\(process_start_time_seconds\[15s\] offset \w+\)\)`, ""},
		"the last process's losses are taken off":     {` unless on \(job, instance\) last_over_time\(process_start_time_seconds\[15s\] offset \w+\)`, ""},
		"the counters of a killed program are found":  {`\[15s\]\)\n`, "[5m])\n"},
		"a counter that fell is a loss below 0":       {` >= 0\n`, "\n"},
		"a counter that is not there has no value":    {` or vector\(0\)\)`, ")"},
		"the window is longer":                        {`offset 5m`, "offset 6m"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			old := regexp.MustCompile(c.old)
			if !old.Match(raw) {
				t.Fatalf("there is no %s to break", c.old)
			}
			folder := t.TempDir()
			write := func(name string, content []byte) {
				if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write("losses.yaml", old.ReplaceAll(raw, []byte(c.new)))
			if err := os.Mkdir(filepath.Join(folder, "tests"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(filepath.Join("tests", "losses_test.yaml"), tests)
			if out, err := ruleTests(path, folder, "losses_test.yaml"); err == nil {
				t.Error("no test notices")
			} else if !strings.Contains(out, "FAILED") {
				t.Errorf("promtool: %v\n%s", err, out)
			}
		})
	}
}

// A rate of a counter that begins with its first loss does not see that loss. Neither a
// rule nor a panel may have one: the records of losses.yaml are there for them.
func TestNoRateMissesTheFirstLoss(t *testing.T) {
	begins := map[string]bool{}
	for _, r := range all(t)["losses"] {
		if r.Record == "" {
			continue
		}
		for _, c := range countersOf(t, r) {
			name, _, _ := strings.Cut(c, "{")
			begins[name] = true
		}
	}
	// Counters of Alloy, Loki and Mimir that only verify reads.
	for _, name := range []string{"otelcol_exporter_enqueue_failed_spans_total", "otelcol_exporter_enqueue_failed_log_records_total", "cortex_discarded_exemplars_total"} {
		begins[name] = true
	}
	check := func(where, expr string) {
		parser.Inspect(parse(t, expr), func(node parser.Node, path []parser.Node) error {
			v, ok := node.(*parser.VectorSelector)
			if !ok || !begins[v.Name] {
				return nil
			}
			for _, above := range path {
				if call, ok := above.(*parser.Call); ok && slices.Contains([]string{"rate", "irate", "increase", "delta"}, call.Func.Name) {
					t.Errorf("%s: %s of %s does not see the first loss", where, call.Func.Name, v.Name)
				}
			}
			return nil
		})
	}
	groups, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			check(g.File+": "+r.Name(), r.Expr)
		}
	}
	boards, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range boards {
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				if q.Datasource == dashboards.Prometheus {
					check(d.Title+" / "+p.Title, q.Fill(d.Values(nil), 10*time.Second, 30*time.Minute))
				}
			}
		}
	}
}
