package verify

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/config/grafana"
)

// derive finds the value of a derived field in a line, as Grafana does: the matcher
// is a regular expression for a part of the label's name, or of the text.
func derive(f grafana.DerivedField, line query.Line) (string, error) {
	matcher, err := regexp.Compile(f.Matcher)
	if err != nil {
		return "", fmt.Errorf("the matcher of the derived field: %w", err)
	}
	if f.MatcherType == "label" {
		names := slices.Sorted(maps.Keys(line.Labels))
		if i := slices.IndexFunc(names, matcher.MatchString); i >= 0 {
			return line.Labels[names[i]], nil
		}
		return "", fmt.Errorf("no label of the line matches %q: it has %s", f.Matcher, strings.Join(names, ", "))
	}
	if m := matcher.FindStringSubmatch(line.Text); len(m) > 1 {
		return m[1], nil
	}
	return "", fmt.Errorf("the text of the line, %.100q, does not match %q", line.Text, f.Matcher)
}

// fillLink fills a link's query with the tags and ids of a span.
func fillLink(text string, tags []grafana.Tag, traceID string, span query.Span) (string, error) {
	var parts []string
	for _, t := range tags {
		value, ok := span.Attributes[t.Attribute]
		if !ok {
			value, ok = span.Resource[t.Attribute]
		}
		if !ok {
			return "", fmt.Errorf("%s has no attribute %s to ask with", title(span), t.Attribute)
		}
		parts = append(parts, fmt.Sprintf("%s=%q", t.Label, value))
	}
	filled := strings.NewReplacer(
		"${__tags}", strings.Join(parts, ", "), "$__tags", strings.Join(parts, ", "),
		"${__trace.traceId}", traceID, "${__span.traceId}", traceID, "${__span.spanId}", span.ID,
	).Replace(text)
	if i := strings.Index(filled, "$"); i >= 0 {
		return "", fmt.Errorf("verify cannot fill %.30q of the query %s", filled[i:], text)
	}
	return filled, nil
}

// shifted is the time of a span, with the link's shifts of both ends.
func shifted(span query.Span, from, to string) (start, end time.Time, err error) {
	start, end = span.Start, span.End
	for _, s := range []struct {
		at   *time.Time
		text string
	}{{&start, from}, {&end, to}} {
		if s.text == "" {
			continue
		}
		d, err := time.ParseDuration(s.text)
		if err != nil {
			return start, end, fmt.Errorf("the shift of the time: %w", err)
		}
		*s.at = s.at.Add(d)
	}
	return start, end, nil
}
