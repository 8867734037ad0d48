package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of JUnit XML in the form that CI viewers (GitLab, Jenkins, GitHub
// actions) agree upon.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string           `xml:"name,attr"`
		Tests      int              `xml:"tests,attr"`
		Failures   int              `xml:"failures,attr"`
		Errors     int              `xml:"errors,attr"`
		Skipped    int              `xml:"skipped,attr"`
		Time       string           `xml:"time,attr"`
		Timestamp  string           `xml:"timestamp,attr"`
		Properties *junitProperties `xml:"properties"`
		Cases      []junitCase      `xml:"testcase"`
	}
	junitProperties struct {
		Property []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Classname string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitFailure `xml:"failure"`
		Skipped   *junitSkipped `xml:"skipped"`
		SystemOut string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

func writeJUnit(w io.Writer, r Report) error {
	n := r.Count()
	doc := junitSuites{
		Name: Clean(r.Name), Tests: len(r.Checks), Failures: n.Failed, Skipped: n.Skipped, Time: junitTime(r.Duration),
	}
	for _, g := range r.groups() {
		doc.Suites = append(doc.Suites, r.junitSuite(g))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing the report as JUnit XML: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing the report as JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r Report) junitSuite(g group) junitSuite {
	n := count(g.checks)
	name := g.name
	if name == "" {
		name = r.Name
	}
	s := junitSuite{
		Name: Clean(name), Tests: len(g.checks), Failures: n.Failed, Skipped: n.Skipped,
		Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"),
	}
	if len(r.Environment) > 0 {
		s.Properties = &junitProperties{}
		for _, kv := range r.sortedEnvironment() {
			s.Properties.Property = append(s.Properties.Property, junitProperty{Clean(kv[0]), Clean(kv[1])})
		}
	}
	var total time.Duration
	for _, c := range g.checks {
		total += c.Duration
		s.Cases = append(s.Cases, junitTestcase(c, r.Name+"."+name))
	}
	s.Time = junitTime(total)
	return s
}

func junitTestcase(c Check, classname string) junitCase {
	tc := junitCase{Name: Clean(c.Name), Classname: Clean(classname), Time: junitTime(c.Duration)}
	switch {
	case c.Failed():
		tc.Failure = &junitFailure{Message: failureMessage(c), Type: "check", Text: Clean(c.Detail)}
	case c.Status == Skip:
		tc.Skipped = &junitSkipped{Message: OneLine(firstOf(c.Detail, c.Measured))}
	}
	var out []string
	if c.Measured != "" {
		out = append(out, "measured: "+Clean(c.Measured))
	}
	if c.Expected != "" {
		out = append(out, "expected: "+Clean(c.Expected))
	}
	tc.SystemOut = strings.Join(out, "\n")
	return tc
}

// failureMessage is the one line that a CI viewer shows in its list.
func failureMessage(c Check) string {
	switch {
	case c.Measured != "" && c.Expected != "":
		return OneLine("got " + c.Measured + ", want " + c.Expected)
	case c.Expected != "":
		return OneLine("want " + c.Expected)
	}
	return OneLine(firstOf(c.Measured, c.Detail, "failed"))
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func junitTime(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
