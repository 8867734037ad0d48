package judge

import (
	"fmt"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
)

// An answer is what a question has brought: rows, and the same as text.
type answer struct {
	rows []row
	// more says that there are more rows than were fetched.
	more bool
	text string
	// what is a row's noun: trace, line, series.
	what string
}

// apply holds the rules that all signals share against an answer. others says that there
// are further rules of the signal's own.
func (a answer) apply(rules cases.Rules, others bool, v *Verdict) {
	v.Rows = len(a.rows)
	n := float64(v.Rows)
	fail := func(rule, format string, args ...any) {
		v.Failures = append(v.Failures, Failure{Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
	for _, text := range rules.Contains {
		if !strings.Contains(a.text, text) {
			fail("contains", "%q is not in %s", short(text), a.found())
		}
	}
	for _, text := range rules.NotContains {
		if at := strings.Index(a.text, text); at >= 0 {
			fail("not_contains", "%q is there: %s", short(text), lineAt(a.text, at))
		}
	}
	for _, re := range rules.Regex {
		if !re.MatchString(a.text) {
			fail("regex", "/%s/ matches nothing in %s", short(re.String()), a.found())
		}
	}
	v.Failures = append(v.Failures, matchFailures("match", rules.Match, a.rows, a.what)...)
	for _, c := range rules.Count {
		if !c.Holds(n) {
			fail("count", "expected %s, found %s", c, a.found())
		}
		if c.Operator != ">=" && c.Operator != ">" {
			v.Revocable = true
		}
	}
	if rules.Absent && n > 0 {
		fail("absent", "expected nothing, found %s", a.found())
	}
	nothingAsked := !others && !rules.Absent && len(rules.Contains)+len(rules.NotContains)+len(rules.Regex)+len(rules.Match)+len(rules.Count) == 0
	if nothingAsked && n == 0 {
		fail("found", "the query finds nothing")
	}
	if rules.Absent || len(rules.NotContains) > 0 || n == 0 {
		v.Revocable = true
	}
	for i, f := range v.Failures {
		if f.Nearest == nil && (f.Rule == "contains" || f.Rule == "regex" || f.Rule == "absent" || f.Rule == "count") {
			v.Failures[i].Nearest = firstLines(a.text)
		}
	}
}

// found says how many rows there are.
func (a answer) found() string {
	if len(a.rows) == 0 {
		return "nothing: the query finds no " + a.what
	}
	text := counted(len(a.rows), a.what)
	if a.more {
		text += " or more"
	}
	return text
}

// lineAt is the line of a text that has the given place.
func lineAt(text string, at int) string {
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[begin:], "\n")
	return short(line)
}

// firstLines are some lines of an answer, to show what is there.
func firstLines(text string) []string {
	if text == "" {
		return nil
	}
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var lines []string
	for _, line := range all[:min(len(all), maxNearest)] {
		lines = append(lines, short(line))
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d others", more))
	}
	return lines
}
