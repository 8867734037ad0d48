package judge

import (
	"strings"
	"testing"
)

func TestNarrowTraceQL(t *testing.T) {
	t.Parallel()
	const run = `resource.lab.run.id = "r1"`
	for query, want := range map[string]string{
		`{}`:                                  `{ ` + run + ` }`,
		`{   }`:                               `{ ` + run + ` }`,
		`{ span.http.route = "/users/{id}" }`: `{ ` + run + ` && ( span.http.route = "/users/{id}" ) }`,
		"{ name =~ `a}b{` } >> { kind = server }":  "{ " + run + " && ( name =~ `a}b{` ) } >> { " + run + " && ( kind = server ) }",
		`{ name = "a\"}" } | count() > 1`:          `{ ` + run + ` && ( name = "a\"}" ) } | count() > 1`,
		`({} && { a || b }) | select(span."x{y}")`: `({ ` + run + ` } && { ` + run + ` && ( a || b ) }) | select(span."x{y}")`,
		`{ a`:      `{ a`,
		`no brace`: `no brace`,
		`{ "a`:     `{ "a`,
	} {
		if got := narrowTraceQL(query, "r1"); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := narrowTraceQL(`{ a }`, ""); got != `{ a }` {
		t.Errorf("without a run: %s", got)
	}
}

func TestNarrowLogQL(t *testing.T) {
	t.Parallel()
	const run = ` | lab_run_id="r1"`
	for query, want := range map[string]string{
		"{service_name=\"a\"} |~ `rolling {the} dice`":                      "{service_name=\"a\"}" + run + " |~ `rolling {the} dice`",
		`{a="}"} | json | line_format "{{.x}}"`:                             `{a="}"}` + run + ` | json | line_format "{{.x}}"`,
		`sum by (level) (count_over_time({a="b"}[5m])) / rate({c="d"}[1m])`: `sum by (level) (count_over_time({a="b"}` + run + `[5m])) / rate({c="d"}` + run + `[1m])`,
		"{a=\"b\"} # {c=\"d\"}\n|= \"x\"":                                   "{a=\"b\"}" + run + " # {c=\"d\"}\n|= \"x\"",
		`{a="b"`:                                                            `{a="b"`,
	} {
		if got := narrowLogQL(query, "r1"); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestNarrowPromQL(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`up`: `up{lab_run_id="r1"}`,
		`sum(rate(a{b="}"}[5m])) / on(x) group_left max_over_time(c[1m:5s] offset 5m)`: `sum(rate(a{b="}",lab_run_id="r1"}[5m])) / on (x) group_left () max_over_time(c{lab_run_id="r1"}[1m:5s] offset 5m)`,
		`a{lab_run_id="other"}`:  `a{lab_run_id="other"}`,
		`{"http.requests"} >= 0`: `{__name__="http.requests",lab_run_id="r1"} >= 0`,
		`absent(a) or vector(1)`: `absent(a{lab_run_id="r1"}) or vector(1)`,
		`a @ end() # {comment}`:  `a{lab_run_id="r1"} @ end()`,
		`limitk(2, a)`:           `limitk(2, a{lab_run_id="r1"})`,
	} {
		if got, err := narrowPromQL(query, "r1"); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", query, got, err, want)
		}
	}
	if _, err := narrowPromQL(`sum(`, "r1"); err == nil || !strings.Contains(err.Error(), "1:5") {
		t.Errorf("sum(: %v, want the place", err)
	}
}
