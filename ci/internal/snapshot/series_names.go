package snapshot

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// legendLabel is a label's place in a legend: {{label}}.
var legendLabel = regexp.MustCompile(`\{\{\s*([\w.:]+)\s*\}\}`)

// names returns the names of the answer's series. Without a legend, a series is named
// by the labels in which the series differ, as in Grafana.
func names(a Answer) []string {
	all := make([]string, len(a.Series))
	var differ []string
	automatic := a.Legend == "" || a.Legend == "__auto"
	if automatic {
		differ = differing(a.Series)
	}
	for i, s := range a.Series {
		if !automatic {
			all[i] = legendLabel.ReplaceAllStringFunc(a.Legend, func(place string) string {
				return s.Labels[legendLabel.FindStringSubmatch(place)[1]]
			})
			if all[i] = strings.TrimSpace(all[i]); all[i] == "" {
				all[i] = "(none)" // this series does not have the labels of the legend
			}
			continue
		}
		all[i] = byLabels(s.Labels, differ)
	}
	return all
}

// byLabels names a series by some of its labels; of a single label it takes the value
// alone.
func byLabels(labels map[string]string, which []string) string {
	switch len(which) {
	case 0:
		if name := labels["__name__"]; name != "" {
			return name
		}
		return "value"
	case 1:
		return labels[which[0]]
	}
	var pairs []string
	for _, name := range which {
		if v := labels[name]; v != "" {
			pairs = append(pairs, name+"="+strconv.Quote(v))
		}
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// differing returns the labels whose values differ between the series, or all labels of
// a single series.
func differing(series []query.Series) []string {
	seen := map[string]map[string]bool{}
	for _, s := range series {
		for name := range s.Labels {
			if seen[name] == nil {
				seen[name] = map[string]bool{}
			}
		}
	}
	delete(seen, "__name__")
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		for _, s := range series {
			seen[name][s.Labels[name]] = true
		}
		if len(seen[name]) > 1 || len(series) == 1 {
			differ = append(differ, name)
		}
	}
	return differ
}

// unitFor returns the unit of a series or column: that of a field's override, or else
// the panel's.
func unitFor(p dashboards.Panel, names ...string) string {
	for _, f := range p.Fields {
		if f.Unit == "" {
			continue
		}
		for _, name := range names {
			if matches(f, name) {
				return f.Unit
			}
		}
	}
	return p.Unit
}

func matches(f dashboards.Field, name string) bool {
	switch f.By {
	case "byName":
		return f.Match == name
	case "byRegexp":
		// Grafana writes regular expressions with or without slashes around them.
		expr, err := regexp.Compile(strings.Trim(f.Match, "/"))
		return err == nil && expr.MatchString(name)
	}
	return false
}
