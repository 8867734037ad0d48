// Package services lists the services that send telemetry to the lab, from what the stores
// have of them.
package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// List is what has arrived of every service.
type List struct {
	// Since is the beginning of the time that the list covers.
	Since    time.Time `json:"since"`
	Services []Service `json:"services"`
	// NoScore says why no service has a score; "" when the lab keeps facts.
	NoScore string `json:"no_score"`
}

// Service is what has arrived of one service.
type Service struct {
	Name string `json:"name"`
	// SpansPerMinute and LinesPerMinute are means over the time that the list covers.
	SpansPerMinute float64 `json:"spans_per_minute"`
	LinesPerMinute float64 `json:"lines_per_minute"`
	// Series is the number of metric series with a sample in that time, without those that
	// Tempo and Mimir make themselves.
	Series int `json:"series"`
	// LastSeen is when the latest of its spans, lines and samples says it is of.
	LastSeen time.Time `json:"last_seen"`
	// Score is its Instrumentation Score; nil without one.
	Score *float64 `json:"score"`
}

// madeHere matches the metrics that no service sends.
const madeHere = `traces_.*|service:.*|target_info|ALERTS.*`

// Find lists the services that sent something in the time before now, by name. A store that
// does not answer makes an error.
func Find(ctx context.Context, s query.Stores, period time.Duration, now time.Time) (List, error) {
	from := now.Add(-period)
	window := strconv.Itoa(max(1, int(period.Seconds()))) + "s"
	var spans, lines, series map[string]float64
	var latest map[string]time.Time
	var errs [4]error
	var all errgroup.Group
	all.Go(func() error { spans, errs[0] = countSpans(ctx, s.Tempo, from, now); return nil })
	all.Go(func() error {
		lines, errs[1] = s.Loki.Count(ctx, "sum by (service_name) (count_over_time({service_name=~`.+`}["+window+"]))", "service_name", now)
		return nil
	})
	metrics := `{service_name!="",__name__!~"` + madeHere + `"}`
	all.Go(func() error {
		series, errs[2] = byService(ctx, s.Mimir, "count by (service_name) (last_over_time("+metrics+"["+window+"]))", now)
		return nil
	})
	all.Go(func() error {
		latest, errs[3] = lastSamples(ctx, s.Mimir, metrics, from, now)
		return nil
	})
	_ = all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return List{}, err
	}
	names := map[string]bool{}
	for _, counts := range []map[string]float64{spans, lines, series} {
		for name := range counts {
			names[name] = true
		}
	}
	list := List{Since: from, Services: make([]Service, 0, len(names))}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		one := Service{
			Name: name, SpansPerMinute: spans[name] / period.Minutes(), LinesPerMinute: lines[name] / period.Minutes(), Series: int(series[name]),
		}
		if at, ok := latest[name]; ok {
			one.LastSeen = at.UTC()
		}
		list.Services = append(list.Services, one)
	}
	return list, lastSeen(ctx, s, list.Services, spans, lines, from, now)
}

// countSpans returns the number of spans by service.
func countSpans(ctx context.Context, tempo query.Tempo, from, to time.Time) (map[string]float64, error) {
	all, err := tempo.Range(ctx, "{ } | count_over_time() by (resource.service.name)", from, to, to.Sub(from))
	counts := map[string]float64{}
	for _, s := range all {
		for _, p := range s.Points {
			counts[s.Labels["resource.service.name"]] += p.Value
		}
	}
	delete(counts, "")
	return counts, err
}

func byService(ctx context.Context, mimir query.Mimir, promQL string, at time.Time) (map[string]float64, error) {
	samples, err := mimir.Instant(ctx, promQL, at)
	values := map[string]float64{}
	for _, s := range samples {
		values[s.Labels["service_name"]] = s.Value
	}
	return values, err
}

// sampled is how exactly the time of a metric's last sample is found; a service may export
// as rarely as once a minute, and most do.
const sampled = 15 * time.Second

// maxSteps is the number of points of time that Mimir is asked for.
const maxSteps = 500

// lastSamples returns when each service's metrics were last written, at most
// [sampled] too late. PromQL's timestamp() cannot take metrics of several names.
func lastSamples(ctx context.Context, mimir query.Mimir, metrics string, from, to time.Time) (map[string]time.Time, error) {
	step := max(sampled, to.Sub(from)/maxSteps)
	all, err := mimir.Range(ctx, fmt.Sprintf("count by (service_name) (last_over_time(%s[%ds]))", metrics, int(step.Seconds())), to.Add(-to.Sub(from).Truncate(step)), to, step)
	latest := map[string]time.Time{}
	for _, s := range all {
		latest[s.Labels["service_name"]] = s.Points[len(s.Points)-1].Time
	}
	return latest, err
}

// asked is the number of services that are asked for at a time.
const asked = 4

// lastSeen looks for the latest trace and line of each service.
func lastSeen(ctx context.Context, s query.Stores, list []Service, spans, lines map[string]float64, from, to time.Time) error {
	var all errgroup.Group
	all.SetLimit(asked)
	for i := range list {
		all.Go(func() error {
			one := &list[i]
			if spans[one.Name] > 0 {
				traces, err := s.Tempo.Find(ctx, fmt.Sprintf("{ resource.service.name = %q } with (most_recent=true)", one.Name), from, to, 1)
				if err != nil {
					return err
				}
				for _, t := range traces {
					for _, span := range t.Spans {
						one.seen(span.Start.Add(span.Duration))
					}
				}
			}
			if lines[one.Name] > 0 {
				latest, err := s.Loki.Latest(ctx, fmt.Sprintf("{service_name=%q}", one.Name), from, to, 1)
				if err != nil {
					return err
				}
				for _, l := range latest {
					one.seen(l.Time)
				}
			}
			return nil
		})
	}
	return all.Wait()
}

func (s *Service) seen(at time.Time) {
	if at.After(s.LastSeen) {
		s.LastSeen = at.UTC()
	}
}

// WriteText writes the list as a table for a terminal.
func (l List) WriteText(w io.Writer, now time.Time) error {
	if len(l.Services) == 0 {
		_, err := fmt.Fprintf(w, "No service has sent anything since %s.\n", l.Since.Local().Format(time.TimeOnly))
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tSPANS/MIN\tLINES/MIN\tSERIES\tLAST SEEN\tSCORE")
	for _, s := range l.Services {
		score := "–"
		if s.Score != nil {
			score = strconv.FormatFloat(*s.Score, 'f', -1, 64)
		}
		seen := "–"
		if !s.LastSeen.IsZero() {
			seen = report.Elapsed(max(0, now.Sub(s.LastSeen)).Truncate(time.Second)) + " ago"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", report.OneLine(s.Name), perMinute(s.SpansPerMinute), perMinute(s.LinesPerMinute), s.Series, seen, score)
	}
	if err := table.Flush(); err != nil || l.NoScore == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "\nNo scores: %s.\n", l.NoScore)
	return err
}

// perMinute writes a rate with the digits that matter.
func perMinute(n float64) string {
	if n != 0 && n < 10 {
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}
