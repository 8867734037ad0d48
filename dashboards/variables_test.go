package dashboards

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValues(t *testing.T) {
	d, err := Read("x.json", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"service": ".+", "route": "/a", "none": ".*"}, d.Values(nil)); diff != "" {
		t.Errorf("values (- want, + got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"service": "frontend", "route": "/a", "none": ".*"}, d.Values(map[string]string{"service": "frontend"})); diff != "" {
		t.Errorf("values with one chosen (- want, + got):\n%s", diff)
	}
}

func TestFill(t *testing.T) {
	values := map[string]string{"service": "a|b", "service_name": "c", "x": "$service"}
	for _, c := range []struct {
		name  string
		query Query
		want  string
	}{
		{"all ways to write one", Query{Expr: `a{s=~"$service", t="${service}", u="${service:regex}"}`}, `a{s=~"a|b", t="a|b", u="a|b"}`},
		{"the longest name", Query{Expr: `$service_name $services`}, `c $services`},
		{"a value is not filled again", Query{Expr: `$x`}, `$service`},
		{"groups stay", Query{Expr: `label_replace(a, "b", "$1", "c", "(.+)$")`}, `label_replace(a, "b", "$1", "c", "(.+)$")`},
		{"Grafana's own", Query{Expr: `[$__interval] [$__rate_interval] [$__range] $__range_s $__interval_ms ${__range_ms}`}, `[10s] [20s] [1800s] 1800 10000 1800000`},
		{"rare samples", Query{Expr: `[$__interval] [$__rate_interval]`, MinStep: 15 * time.Second}, `[15s] [60s]`},
		{"a step of Loki", Query{Expr: `[$__auto]`, QueryType: LokiRange}, `[10s]`},
		{"a range of Loki", Query{Expr: `[$__auto]`, QueryType: LokiInstant}, `[1800s]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.query.Fill(values, 10*time.Second, 30*time.Minute); got != c.want {
				t.Errorf("%s\nis filled as %s\nwant         %s", c.query.Expr, got, c.want)
			}
		})
	}
	// Over a long time a step is longer than four samples; a very short one is a second.
	for step, want := range map[time.Duration]string{time.Minute: "[65s]", time.Millisecond: "[20s]"} {
		if got := (Query{Expr: "[$__rate_interval]"}).Fill(nil, step, time.Hour); got != want {
			t.Errorf("with steps of %v, $__rate_interval is %s, want %s", step, got, want)
		}
	}
	if got := (Query{Expr: "$__interval"}).Fill(nil, time.Millisecond, time.Hour); got != "1s" {
		t.Errorf("a step of a millisecond is filled in as %s", got)
	}
}

func TestReferences(t *testing.T) {
	got := References(`a{b=~"$service", c="${route:regex}"}[$__range] "$1" (.+)$`)
	if diff := cmp.Diff([]string{"service", "route", "__range"}, got); diff != "" {
		t.Errorf("variables (- want, + got):\n%s", diff)
	}
}
