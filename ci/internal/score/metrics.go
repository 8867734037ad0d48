package score

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/conventions"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score/ucum"
)

// metrics is the verdict on each metric: broken says what is wrong with one; "" is nothing.
func metrics(all []facts.Metric, reason string, broken func(facts.Metric) string) verdict {
	if len(all) == 0 {
		return verdict{reason: reason}
	}
	var evidence []string
	more := 0
	for _, m := range all {
		switch text := broken(m); {
		case text == "":
		case len(evidence) < maxEvidence:
			evidence = append(evidence, text)
		default:
			more++
		}
	}
	if more > 0 {
		evidence = append(evidence, fmt.Sprintf("and %d metrics more", more))
	}
	return verdict{evidence: evidence}
}

func cardinality(s facts.Service) verdict {
	return metrics(s.Metrics, noMetrics, func(m facts.Metric) string {
		for _, a := range m.Attributes {
			if a.Values >= facts.MaxAttributeValues {
				return fmt.Sprintf("%s: the attribute %s has %d values or more, such as %s", m.Name, a.Key, a.Values, strings.Join(a.Examples[:min(len(a.Examples), 3)], ", "))
			}
		}
		return ""
	})
}

func units(s facts.Service) verdict {
	return metrics(s.Metrics, noMetrics, func(m facts.Metric) string {
		for _, unit := range m.Units {
			if unit == "" {
				return m.Name + " has no unit"
			}
			if err := ucum.Valid(unit); err != nil {
				return fmt.Sprintf("%s has the unit %q: %v", m.Name, unit, err)
			}
		}
		return ""
	})
}

func oneUnit(s facts.Service) verdict {
	return metrics(s.Metrics, noMetrics, func(m facts.Metric) string {
		if len(m.Units) < 2 {
			return ""
		}
		return fmt.Sprintf("%s came with the units %s", m.Name, quoted(m.Units))
	})
}

func oneBuckets(s facts.Service) verdict {
	histograms := slices.DeleteFunc(slices.Clone(s.Metrics), func(m facts.Metric) bool { return !slices.Contains(m.Types, "histogram") })
	reason := "no histogram with buckets arrived"
	if len(s.Metrics) == 0 {
		reason = noMetrics
	}
	return metrics(histograms, reason, func(m facts.Metric) string {
		if len(m.Boundaries) < 2 {
			return ""
		}
		return fmt.Sprintf("%s came with %d sets of buckets: %s", m.Name, len(m.Boundaries), quoted(m.Boundaries))
	})
}

func unitInName(s facts.Service) verdict {
	return metrics(s.Metrics, noMetrics, func(m facts.Metric) string {
		for _, unit := range m.Units {
			if word := ucum.InName(unit, m.Name); word != "" {
				return fmt.Sprintf("%s contains its unit %s as %q", m.Name, unit, word)
			}
		}
		return ""
	})
}

func attributeAsMetric(s facts.Service) verdict {
	known := conventions.Load()
	return metrics(s.Metrics, noMetrics, func(m facts.Metric) string {
		if _, ok := known.Attributes[m.Name]; !ok {
			return ""
		}
		return m.Name + " is the key of an attribute"
	})
}

// quoted lists texts, each in quotes and shortened.
func quoted(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%.60q", s))
	}
	return strings.Join(out, ", ")
}
