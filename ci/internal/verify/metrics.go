package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ownMetrics are the metrics that each service must have: those of the
// semantic conventions, of Go's runtime, and what the lab is about.
var ownMetrics = []struct{ service, metric string }{
	{"frontend", "http_server_request_duration_seconds_count"},
	{"frontend", "http_client_request_duration_seconds_count"},
	{"frontend", "go_goroutine_count"},
	{"backend", "http_server_request_duration_seconds_count"},
	{"backend", "db_client_operation_duration_seconds_count"},
	{"backend", "go_memory_used_bytes"},
	{"backend", "lab_users_created_total"},
}

// ownMetrics checks that the services' metrics arrive, and that the number of
// users in them is the number of users.
func (v *verifier) ownMetrics(ctx context.Context) {
	for _, m := range ownMetrics {
		v.check("metrics", m.metric+" of the "+m.service, "> 0", func() (string, error) {
			value, err := v.alive(ctx, sumOver, fmt.Sprintf(`%s{service_name=%q}`, m.metric, m.service), func(value float64) error {
				if value <= 0 {
					return fmt.Errorf("it is %v", value)
				}
				return nil
			})
			return value, err
		})
	}
	v.check("metrics", "lab_users", "as many as /api/stats says", func() (string, error) {
		// Each of several backends counts all users.
		return v.alive(ctx, maxOver, `lab_users{service_name="backend"}`, func(gauge float64) error {
			p, status, body := v.get(ctx, "/api/stats", "")
			if p.err != nil {
				return p.err
			}
			var stats struct {
				Users *float64 `json:"users"`
			}
			if err := json.Unmarshal(body, &stats); err != nil || status != http.StatusOK || stats.Users == nil {
				return fmt.Errorf("GET /api/stats answered %d, not 200 with a number of users: %.200q", status, body)
			}
			if gauge != *stats.Users {
				return fmt.Errorf("the metric says %v users, /api/stats says %v", gauge, *stats.Users)
			}
			return nil
		})
	})
}

// alive waits until the series have new samples whose sum or maximum passes the judge. It
// returns that value. over is [sumOver] or [maxOver].
func (v *verifier) alive(ctx context.Context, over func(selector string, within time.Duration) string, selector string, judge func(float64) error) (measured string, err error) {
	err = v.poll(ctx, v.timing.metrics, func(ctx context.Context) error {
		value, found, err := v.mimir.Scalar(ctx, over(selector, v.timing.alive), time.Now())
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("Mimir has no sample of %s within %v", selector, v.timing.alive)
		}
		measured = fmt.Sprintf("%.0f", value)
		return judge(value)
	})
	return measured, err
}

// A product is a set of metrics that Tempo's generator makes from the traces. Each of
// its counters must rise while verify runs: a value from before proves nothing.
type product struct {
	name, expected string
	// selectors are the counters, by what they count.
	selectors []struct{ of, selector string }
}

var products = []product{
	{"frontend → backend", "counts requests", []struct{ of, selector string }{
		{"requests", `traces_service_graph_request_total{client="frontend",server="backend"}`},
	}},
	{"backend → its database", "counts statements", []struct{ of, selector string }{
		{"statements", `traces_service_graph_request_total{client="backend",connection_type="database"}`},
	}},
	{"span metrics by route", "the backend's calls are counted by http.route", []struct{ of, selector string }{
		{"/users", `traces_spanmetrics_calls_total{service="backend",span_kind="SPAN_KIND_SERVER",http_route="/users"}`},
		{"/users/{id}", `traces_spanmetrics_calls_total{service="backend",span_kind="SPAN_KIND_SERVER",http_route="/users/{id}"}`},
	}},
}

// readGenerated reads the counters of all products, by their selectors.
func (v *verifier) readGenerated(ctx context.Context) map[string]counter {
	var selectors []string
	for _, p := range products {
		for _, s := range p.selectors {
			selectors = append(selectors, s.selector)
		}
	}
	counters := map[string]counter{}
	for i, c := range v.readAll(ctx, selectors, time.Now()) {
		counters[selectors[i]] = c
	}
	return counters
}

// generated checks that every counter of every product has risen since before was read.
func (v *verifier) generated(ctx context.Context, before map[string]counter) {
	for _, p := range products {
		v.check("service graph", p.name, p.expected, func() (string, error) {
			var measured []string
			for _, s := range p.selectors {
				var by float64
				err := v.poll(ctx, v.timing.generator, func(ctx context.Context) (err error) {
					by, err = v.counts(ctx, before[s.selector])
					return err
				})
				if err != nil {
					return strings.Join(measured, ", "), err
				}
				measured = append(measured, rose(by)+" "+s.of)
			}
			return strings.Join(measured, ", "), nil
		})
	}
}

// rose writes the change of a counter for people.
func rose(by float64) string {
	if by < 0 {
		return "counting anew:"
	}
	return fmt.Sprintf("+%.0f", by)
}

// up checks that Alloy scrapes itself and the three backends, now.
func (v *verifier) up(ctx context.Context) {
	for _, job := range stackJobs {
		v.check("stack", fmt.Sprintf(`up{job=%q}`, job), "1", func() (string, error) {
			value, found, err := v.mimir.Scalar(ctx, "min(last_over_time("+withRange(fmt.Sprintf(`up{job=%q}`, job), v.timing.alive)+"))", time.Now())
			switch {
			case err != nil:
				return "", err
			case !found:
				return "no sample", fmt.Errorf("no sample of %s's scrape has reached Mimir for %v", job, v.timing.alive)
			case value != 1:
				return fmt.Sprint(value), fmt.Errorf("Alloy cannot scrape %s; its own page says why", job)
			}
			return "1", nil
		})
	}
}

var stackJobs = []string{"alloy", "loki", "tempo", "mimir"}
