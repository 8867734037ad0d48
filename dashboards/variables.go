package dashboards

import (
	"maps"
	"regexp"
	"strconv"
	"time"
)

// ScrapeInterval is the usual distance of two samples of a series, timeInterval of
// the data source in config/grafana/provisioning/datasources.
const ScrapeInterval = 5 * time.Second

// everything is the value of a variable that stands for all of its values.
const everything = "$__all"

// Values returns the value that each variable of the dashboard has in a query: the one in
// override, or else its default.
func (d Dashboard) Values(override map[string]string) map[string]string {
	values := map[string]string{}
	for _, v := range d.Variables {
		values[v.Name] = v.Default
		if v.Default != everything {
			continue
		}
		values[v.Name] = v.AllValue
		if v.AllValue == "" {
			values[v.Name] = ".*"
		}
	}
	maps.Copy(values, override)
	return values
}

// reference is a variable in a query: ${name}, ${name:format} or $name.
var reference = regexp.MustCompile(`\$\{(\w+)(?::\w+)?\}|\$(\w+)`)

// References returns the names of the variables in a text, including Grafana's own
// ($__interval). $1 is not a variable but a group of a regular expression.
func References(text string) []string {
	var names []string
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		name := m[1] + m[2]
		if _, err := strconv.Atoi(name); err != nil {
			names = append(names, name)
		}
	}
	return names
}

// Fill returns the query's expression with its variables replaced. Values are inserted as
// they are, so a value in a regular expression must be escaped already. interval is the
// step of the graph, rangeDuration its time range. A variable without a value stays.
func (q Query) Fill(values map[string]string, interval, rangeDuration time.Duration) string {
	interval = max(interval, q.MinStep)
	own := map[string]string{
		"__interval":      inSeconds(interval),
		"__interval_ms":   strconv.FormatInt(interval.Milliseconds(), 10),
		"__rate_interval": inSeconds(q.rateInterval(interval)),
		"__range":         inSeconds(rangeDuration),
		"__range_s":       strconv.FormatInt(int64(rangeDuration/time.Second), 10),
		"__range_ms":      strconv.FormatInt(rangeDuration.Milliseconds(), 10),
		// Loki's own variable: the step, or the whole range for an instant query.
		"__auto": inSeconds(interval),
	}
	if q.QueryType == LokiInstant {
		own["__auto"] = own["__range"]
	}
	return reference.ReplaceAllStringFunc(q.Expr, func(text string) string {
		m := reference.FindStringSubmatch(text)
		name := m[1] + m[2]
		if value, ok := own[name]; ok {
			return value
		}
		if value, ok := values[name]; ok {
			return value
		}
		return text
	})
}

// rateInterval returns Grafana's $__rate_interval, which spans at least four samples.
func (q Query) rateInterval(interval time.Duration) time.Duration {
	samples := ScrapeInterval
	if q.MinStep > 0 {
		samples = q.MinStep
	}
	return max(interval+samples, 4*samples)
}

// inSeconds writes a duration for PromQL and LogQL: in whole seconds, at least 1.
func inSeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64(d/time.Second)), 10) + "s"
}
