package dashboards

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// checker finds what is wrong with dashboards. It needs no lab.
type checker struct {
	// sources are the types of the provisioned data sources by uid.
	sources map[string]string
	// all are the dashboards to which links may lead.
	all []Dashboard
	// mayBeEmpty are the panels that may be empty, as uid/title.
	mayBeEmpty []string
}

// mayBeEmpty are the panels with a noValue, but for those that begin with DoesNotApply. They
// are empty when all is well, when the kernel does not measure something, or when the lab
// was not asked for what they show.
var mayBeEmpty = []string{
	"lab-overview/Alerts",
	"lab-overview/Errors in the logs",
	"lab-overview/Failing requests",
	"lab-performance/Disk writes",
	"lab-performance/Slowest requests",
	"lab-stack/Copy for another endpoint",
	"lab-stack/Queue of the copy",
}

func TestDashboards(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	c := checker{sources: provisionedSources(t), all: all, mayBeEmpty: mayBeEmpty}
	for _, d := range all {
		for _, problem := range c.problems(d) {
			t.Errorf("%s: %s", d.File, problem)
		}
	}
	// A stale entry would let a later panel of that name be empty unnoticed.
	for _, name := range mayBeEmpty {
		if !slices.ContainsFunc(all, func(d Dashboard) bool {
			return slices.ContainsFunc(d.Panels, func(p Panel) bool { return d.UID+"/"+p.Title == name && p.NoValue != "" })
		}) {
			t.Errorf("mayBeEmpty has %s, and there is no such panel with a noValue", name)
		}
	}
}

// problems returns everything that is wrong with the dashboard.
func (c checker) problems(d Dashboard) []string {
	found := slices.Concat(c.header(d), grid(d), titles(d), variables(d))
	for _, p := range d.Panels {
		for _, problem := range slices.Concat(c.panel(d, p), c.queries(d, p), c.links(p.Links, d)) {
			found = append(found, fmt.Sprintf("panel %d, %q: %s", p.ID, p.Title, problem))
		}
	}
	return found
}

// header checks what the dashboards have in common.
func (c checker) header(d Dashboard) []string {
	var found []string
	if !strings.HasPrefix(d.UID, "lab-") {
		found = append(found, fmt.Sprintf("its uid is %q: begin it with lab-", d.UID))
	}
	if !strings.HasPrefix(d.Title, "Lab / ") || !sentence(d.Description) {
		found = append(found, "it has no title that begins with “Lab / ”, or no description in a sentence")
	}
	if !slices.Contains(d.Tags, "lab") {
		found = append(found, "it has not the tag lab, so that no other links to it")
	}
	if d.From != "now-30m" || d.To != "now" || d.Refresh != "10s" {
		found = append(found, fmt.Sprintf("it shows %s to %s every %s, the others the last 30 minutes every 10 s", d.From, d.To, d.Refresh))
	}
	if len(d.Links) == 0 {
		found = append(found, "it links to no other dashboard")
	}
	return append(found, c.links(d.Links, d)...)
}

// links checks that links lead to existing dashboards.
func (c checker) links(links []Link, from Dashboard) []string {
	var found []string
	for _, l := range links {
		there := func(to Dashboard) bool {
			if l.Type == "dashboards" {
				missing := slices.ContainsFunc(l.Tags, func(tag string) bool { return !slices.Contains(to.Tags, tag) })
				return to.UID != from.UID && len(l.Tags) > 0 && !missing
			}
			uid, _, _ := strings.Cut(strings.TrimPrefix(l.URL, "/d/"), "?")
			return to.UID == uid
		}
		if !slices.ContainsFunc(c.all, there) {
			found = append(found, fmt.Sprintf("the link %q (%s %v) leads to no other dashboard", l.Title, l.URL, l.Tags))
		}
	}
	return found
}

// grid checks that panels do not overlap and stay within the 24 columns, and that every
// row and panel has its own id.
func grid(d Dashboard) []string {
	type box struct {
		name string
		id   int
		Grid
	}
	var boxes []box
	for _, r := range d.Rows {
		boxes = append(boxes, box{fmt.Sprintf("row %d, %q", r.ID, r.Title), r.ID, r.Grid})
	}
	for _, p := range d.Panels {
		boxes = append(boxes, box{fmt.Sprintf("panel %d, %q", p.ID, p.Title), p.ID, p.Grid})
	}
	var found []string
	for i, a := range boxes {
		if a.id <= 0 {
			found = append(found, a.name+" has no id")
		}
		if a.X < 0 || a.Y < 0 || a.W <= 0 || a.H <= 0 || a.X+a.W > 24 {
			found = append(found, fmt.Sprintf("%s is not within the 24 columns: %+v", a.name, a.Grid))
		}
		for _, b := range boxes[:i] {
			if a.id == b.id {
				found = append(found, fmt.Sprintf("%s and %s have the same id", b.name, a.name))
			}
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				found = append(found, fmt.Sprintf("%s lies upon %s", a.name, b.name))
			}
		}
	}
	return found
}

// titles checks that titles are unique, because reports identify panels by them.
func titles(d Dashboard) []string {
	var found []string
	seen := map[string]int{}
	for _, p := range d.Panels {
		if other, ok := seen[p.Title]; ok {
			found = append(found, fmt.Sprintf("panels %d and %d are both called %q", other, p.ID, p.Title))
		}
		seen[p.Title] = p.ID
	}
	return found
}

// needUnit are the types of panel that show numbers.
var needUnit = []string{"timeseries", "stat", "gauge", "bargauge", "heatmap", "histogram", "barchart", "piechart"}

// panel checks that a reader can understand the panel.
func (c checker) panel(d Dashboard, p Panel) []string {
	var found []string
	if strings.TrimSpace(p.Title) == "" {
		found = append(found, "it has no title")
	}
	shows, do, both := strings.Cut(p.Description, "\n\n**When it is red or unusual:** ")
	if !both || !sentence(shows) || !sentence(do) {
		found = append(found, fmt.Sprintf("its description %q does not say what it shows and what to do when it is red", p.Description))
	}
	if p.Unit == "" && slices.Contains(needUnit, p.Type) {
		found = append(found, "it has no unit")
	}
	if p.Type == "stat" && p.Reduce == "" {
		found = append(found, "it does not say which value it shows of a series")
	}
	listed := slices.Contains(c.mayBeEmpty, d.UID+"/"+p.Title)
	if p.MayBeEmpty() && !listed {
		found = append(found, "it has a noValue, with which it may be empty, and is not one of mayBeEmpty")
	}
	if len(p.Queries) == 0 {
		found = append(found, "it has no query")
	}
	for i, t := range p.Thresholds {
		if i > 0 && t.Value <= p.Thresholds[i-1].Value || i == 0 && !math.IsInf(t.Value, -1) {
			found = append(found, fmt.Sprintf("its thresholds do not rise from -Inf: %v", p.Thresholds))
			break
		}
	}
	return found
}

// sentence reports whether a text is at least one sentence.
func sentence(text string) bool {
	return len(strings.Fields(text)) >= 4 && strings.ContainsAny(text[len(text)-1:], ".?")
}
