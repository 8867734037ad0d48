// Package record writes what a run or a service has sent as the expectation of a case, with
// what varies from run to run taken out: ids, times, numbers. So the first case is written
// by the lab, and read by a person.
package record

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// Bounds of what is written: a case is to be read by a person.
const (
	maxTraces  = 50
	maxTrees   = 5
	maxLines   = 8
	maxMetrics = 20
)

// Seen is what was seen, in the form of an expectation.
type Seen struct {
	// Trees are the different shapes of the traces.
	Trees []string
	// Lines are the different log lines of each service.
	Lines []Line
	// Metrics are the series that were counted up or measured.
	Metrics []Metric
}

// Empty reports whether nothing was seen.
func (s Seen) Empty() bool { return len(s.Trees)+len(s.Lines)+len(s.Metrics) == 0 }

// Line is a log line of a service.
type Line struct {
	Service string
	// Text is the line, or, with Regexp, an RE2 expression for it.
	Text   string
	Regexp bool
}

// Metric is a sum of a service's series.
type Metric struct {
	Service, Name string
	// AtLeast is 1 for what has counted something, else 0: a value of any kind is there.
	AtLeast int
}

// Look asks the stores for what the scope's run has sent; without a run's id, what the
// service has sent since the scope's beginning. An empty service is all services.
func Look(ctx context.Context, stores query.Stores, scope judge.Scope, service string) (Seen, error) {
	l := look{stores, scope, service, time.Now().Add(time.Minute)}
	var seen Seen
	var err error
	if seen.Trees, err = l.trees(ctx); err != nil {
		return Seen{}, err
	}
	if seen.Lines, err = l.lines(ctx); err != nil {
		return Seen{}, err
	}
	seen.Metrics, err = l.metrics(ctx)
	return seen, err
}

type look struct {
	stores  query.Stores
	scope   judge.Scope
	service string
	to      time.Time
}

// matchers are the parts of a selector for the run and the service, by the names that a
// store has for them.
func (l look) matchers(run, service, equals string) []string {
	var all []string
	if l.scope.RunID != "" {
		all = append(all, run+equals+strconv.Quote(l.scope.RunID))
	}
	if l.service != "" {
		all = append(all, service+equals+strconv.Quote(l.service))
	}
	return all
}

// keys are the attributes that say what an operation is; their values are few.
var keys = []string{
	"http.request.method", "http.route", "http.response.status_code", "http.method", "http.status_code",
	"db.system.name", "db.system", "rpc.system", "rpc.method", "messaging.system", "error.type",
}

func (l look) trees(ctx context.Context) ([]string, error) {
	ids := l.scope.TraceIDs
	if len(ids) == 0 {
		traceQL := "{ " + strings.Join(l.matchers("resource."+runid.Attribute, "resource.service.name", " = "), " && ") + " }"
		var err error
		if ids, err = l.stores.Tempo.Search(ctx, traceQL, l.scope.Since, l.to, maxTraces); err != nil {
			return nil, err
		}
	}
	count := map[string]int{}
	var shapes []string
	for _, id := range ids[:min(len(ids), maxTraces)] {
		spans, err := l.stores.Tempo.Trace(ctx, id)
		if err != nil {
			continue // it has come and gone, or is not there yet
		}
		shape := judge.Shape(spans, keys, shapeName)
		if count[shape]++; count[shape] == 1 {
			shapes = append(shapes, shape)
		}
	}
	// The most frequent first; of those as frequent, in the order of their text.
	slices.SortFunc(shapes, func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	return shapes[:min(len(shapes), maxTrees)], nil
}

// varies are the parts of a text that differ from run to run: ids, times, numbers.
var varies = regexp.MustCompile(
	`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}` + // a UUID
		`|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]+(?:Z|[+-][0-9:]+)?` + // a time
		`|\b[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\b` + // an id in hexadecimal
		`|[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s)?\b`) // a number or a duration

// shapeName writes a span's name for a tree, with … for what varies. A status or a version
// within a route, such as /v1, stays.
func shapeName(name string) string {
	quoted := cases.QuoteShape(name, false)
	if quoted != name {
		return quoted
	}
	return idsIn.ReplaceAllString(name, "${1}"+cases.Anything)
}

// idsIn are ids in a span's name: whole segments of a path, or words.
var idsIn = regexp.MustCompile(`(^|[/ =])(?:[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,}|[0-9]+)\b`)

func (l look) lines(ctx context.Context) ([]Line, error) {
	logQL := `{level=~".+"}`
	if l.service != "" {
		logQL = "{service_name=" + strconv.Quote(l.service) + "}"
	}
	if l.scope.RunID != "" {
		logQL += " | " + runid.Label + "=" + strconv.Quote(l.scope.RunID)
	}
	found, err := l.stores.Loki.Latest(ctx, logQL, l.scope.Since, l.to, 1000)
	if err != nil {
		return nil, err
	}
	var all []Line
	each := map[string]int{}
	for _, f := range slices.Backward(found) {
		line := template(f.Labels["service_name"], f.Text)
		if !slices.Contains(all, line) && each[line.Service] < maxLines && strings.TrimSpace(f.Text) != "" {
			each[line.Service]++
			all = append(all, line)
		}
	}
	slices.SortStableFunc(all, func(a, b Line) int { return strings.Compare(a.Service, b.Service) })
	return all, nil
}

// template makes an expression of a line that has parts that vary.
func template(service, text string) Line {
	places := varies.FindAllStringIndex(text, -1)
	if len(places) == 0 {
		return Line{service, text, false}
	}
	expression, at := "^", 0
	for _, place := range places {
		expression += regexp.QuoteMeta(text[at:place[0]]) + ".+"
		at = place[1]
	}
	return Line{service, expression + regexp.QuoteMeta(text[at:]) + "$", true}
}

// derived are metrics that are not the application's own, or parts of a histogram that its
// count says enough of.
var derived = regexp.MustCompile(`^(target_info|traces_.*|ALERTS.*)$|:|_(bucket|sum|created)$`)

func (l look) metrics(ctx context.Context) ([]Metric, error) {
	matchers := strings.Join(append(l.matchers(runid.Label, "service_name", "="), `__name__!=""`), ",")
	series, err := l.stores.Mimir.At(ctx, "sum by (__name__, service_name) ({"+matchers+"})", time.Now())
	if err != nil {
		return nil, fmt.Errorf("the metrics that were sent: %w", err)
	}
	var all []Metric
	for _, s := range series {
		m := Metric{Service: s.Labels["service_name"], Name: s.Labels["__name__"]}
		if derived.MatchString(m.Name) || m.Name == "" {
			continue
		}
		if (strings.HasSuffix(m.Name, "_total") || strings.HasSuffix(m.Name, "_count")) && last(s) >= 1 {
			m.AtLeast = 1
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Metric) int { // what has counted something first
		if a.AtLeast != b.AtLeast {
			return b.AtLeast - a.AtLeast
		}
		return strings.Compare(a.Service+" "+a.Name, b.Service+" "+b.Name)
	})
	return all[:min(len(all), maxMetrics)], nil
}

func last(s query.Series) float64 {
	if len(s.Points) == 0 {
		return 0
	}
	return s.Points[len(s.Points)-1].Value
}
