package judge

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// A row is a span, a trace, a log line or a series, as a match looks at it.
type row struct {
	name       string
	attributes map[string]string
	// where is what a message puts before the name, such as the service.
	where string
}

// spanRow is a span with the attributes of its resource and, as OATS has them, its scope
// and its kind.
func spanRow(s query.Span) row {
	attributes := maps.Clone(s.Resource)
	if attributes == nil {
		attributes = map[string]string{}
	}
	maps.Copy(attributes, s.Attributes)
	delete(attributes, runid.Attribute)
	if s.Scope != "" {
		attributes["otel.scope.name"], attributes["otel.library.name"] = s.Scope, s.Scope
	}
	if s.Kind != "" {
		attributes["kind"] = "SPAN_KIND_" + strings.ToUpper(string(s.Kind))
	}
	return row{s.Name, attributes, s.Service + ": "}
}

// holds reports whether a match is true of the row.
func holds(m cases.Match, r row) bool {
	if m.Name != nil && !m.Name.Matches(r.name) {
		return false
	}
	for _, a := range m.Attributes {
		value, there := r.attributes[a.Key]
		if !there || a.Value != nil && !matchesValue(*a.Value, value) {
			return false
		}
	}
	return !m.NoOthers || len(r.attributes) == len(m.Attributes)
}

// matchesValue also takes a list as OATS writes it: "a,b" for "[a, b]".
func matchesValue(p cases.Pattern, value string) bool {
	if p.Matches(value) {
		return true
	}
	list, isList := strings.CutPrefix(value, "[")
	list, ends := strings.CutSuffix(list, "]")
	return isList && ends && p.Matches(strings.ReplaceAll(list, ", ", ","))
}

// matchFailures are the matches that are true of no row, with the rows that are nearest.
func matchFailures(rule string, all []cases.Match, rows []row, what string) []Failure {
	var failures []Failure
	for _, m := range all {
		if slices.ContainsFunc(rows, func(r row) bool { return holds(m, r) }) {
			continue
		}
		failures = append(failures, Failure{rule, fmt.Sprintf("none of %s has %s", counted(len(rows), what), describe(m)), nearestRows(m, rows)})
	}
	return failures
}

// counted writes a number with its noun: "1 span", "3 spans".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if noun == "series" {
		return strconv.Itoa(n) + " series"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// describe says what a match asks for.
func describe(m cases.Match) string {
	var all []string
	if m.Name != nil {
		all = append(all, "the name "+patternText(*m.Name))
	}
	for _, a := range m.Attributes {
		if a.Value == nil {
			all = append(all, a.Key)
			continue
		}
		all = append(all, a.Key+" = "+patternText(*a.Value))
	}
	if m.NoOthers {
		all = append(all, "no other attributes")
	}
	return strings.Join(all, " and ")
}

func patternText(p cases.Pattern) string {
	if p.Regexp != nil {
		return "/" + p.Text + "/"
	}
	return strconv.Quote(short(p.Text))
}

// maxNearest bounds the lines about what was there instead.
const maxNearest = 5

// nearestRows says of the rows that come nearest to a match what they have instead.
func nearestRows(m cases.Match, rows []row) []string {
	type candidate struct {
		line string
		miss float64
	}
	var all []candidate
	seen := map[string]bool{}
	for _, r := range rows {
		line, miss := difference(m, r)
		if !seen[line] {
			seen[line] = true
			all = append(all, candidate{line, miss})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		switch {
		case a.miss < b.miss:
			return -1
		case a.miss > b.miss:
			return 1
		}
		return 0
	})
	var lines []string
	for _, c := range all[:min(len(all), maxNearest)] {
		lines = append(lines, c.line)
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d others", more))
	}
	return lines
}

// difference says what a row has instead of what a match asks for, and how far the two are
// apart: 1 for each thing that differs, less where the texts are alike.
func difference(m cases.Match, r row) (line string, miss float64) {
	var differs []string
	if m.Name != nil && !m.Name.Matches(r.name) {
		miss += 1 - alike(m.Name.Text, r.name)
	}
	for _, a := range m.Attributes {
		value, there := r.attributes[a.Key]
		switch {
		case !there:
			miss++
			text := "no " + a.Key
			if key := likeliest(a.Key, slices.Sorted(maps.Keys(r.attributes))); key != "" {
				text += fmt.Sprintf(", but %s = %q", key, short(r.attributes[key]))
			}
			differs = append(differs, text)
		case a.Value != nil && !matchesValue(*a.Value, value):
			miss += 1 - alike(a.Value.Text, value)
			differs = append(differs, fmt.Sprintf("%s = %q", a.Key, short(value)))
		}
	}
	if m.NoOthers {
		for _, key := range slices.Sorted(maps.Keys(r.attributes)) {
			if !slices.ContainsFunc(m.Attributes, func(a cases.AttributeMatch) bool { return a.Key == key }) {
				miss++
				differs = append(differs, key+" besides")
			}
		}
	}
	line = r.where + short(r.name)
	if len(differs) > 0 {
		line += " has " + strings.Join(differs, "; ")
	}
	return strings.TrimSpace(line), miss
}

// likeliest is the key that a missing one most likely means: one that ends or begins alike.
func likeliest(key string, there []string) string {
	best, most := "", 0.49
	for _, k := range there {
		if a := alike(key, k); a > most {
			best, most = k, a
		}
	}
	return best
}

// alike is the share of two texts that are equal at their beginning and end, from 0 to 1.
func alike(a, b string) float64 {
	longest := max(len(a), len(b))
	if longest == 0 {
		return 1
	}
	shortest := min(len(a), len(b))
	head := 0
	for head < shortest && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < shortest-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return float64(head+tail) / float64(longest)
}

// short cuts a text that a message quotes.
func short(text string) string {
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// varying are labels that a text leaves out: they differ from run to run, or stand before
// the others.
var varying = []string{"__name__", runid.Label, runid.Attribute, "observed_timestamp"}

// labelText writes labels as a selector has them, sorted.
func labelText(all map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(varying, key) {
			parts = append(parts, key+"="+strconv.Quote(all[key]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
