package dashboards

import (
	"testing"
	"time"
)

func TestFinds(t *testing.T) {
	for _, c := range []struct {
		query Query
		want  Finding
	}{
		{Query{Datasource: Prometheus, Expr: `{job="a"}`}, Series},
		{Query{Datasource: Prometheus, Expr: `rate(a[1m])`}, Series},
		{Query{Datasource: Loki, Expr: `{service_name="a"} |= "rate("`}, Lines},
		{Query{Datasource: Loki, Expr: "\n  ({service_name=\"a\"} | json)"}, Lines},
		{Query{Datasource: Loki, Expr: `sum by (level) (rate({service_name="a"}[1m]))`}, Series},
		{Query{Datasource: Loki, Expr: `(rate({a="b"}[1m]) / 2)`}, Series},
		{Query{Datasource: Tempo, QueryType: TempoTraceQL, Expr: `{ resource.service.name = "a" } | select(name)`}, Traces},
		{Query{Datasource: Tempo, QueryType: TempoTraceQL, Expr: `{ } | count() > 2`}, Traces},
		{Query{Datasource: Tempo, QueryType: TempoTraceQL, Expr: `{ } | rate() by (name)`}, Series},
		{Query{Datasource: Tempo, QueryType: TempoTraceQL, Expr: `{ } |quantile_over_time (duration, .9)`}, Series},
		{Query{Datasource: Tempo, QueryType: TempoServiceMap, Expr: `{client="a"}`}, Edges},
		{Query{Datasource: Tempo, QueryType: TempoServiceMap}, Edges},
	} {
		if got := c.query.Finds(); got != c.want {
			t.Errorf("%s %q finds %s, want %s", c.query.Datasource, c.query.Expr, got, c.want)
		}
	}
}

func TestStep(t *testing.T) {
	for _, c := range []struct {
		length time.Duration
		most   int
		least  time.Duration
		want   time.Duration
	}{
		{time.Minute, 240, 0, 5 * time.Second},
		{30 * time.Minute, 240, 0, 8 * time.Second},
		{30 * time.Minute, 240, 15 * time.Second, 15 * time.Second},
		{24 * time.Hour, 240, 0, 6 * time.Minute},
		{30 * time.Minute, 80, 0, 23 * time.Second},
	} {
		q := Query{MinStep: c.least}
		if got := q.Step(c.length, c.most); got != c.want {
			t.Errorf("%d steps of %v, %v at least: %v, want %v", c.most, c.length, c.least, got, c.want)
		}
	}
}
