package traceview

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageSheet string

// pageTemplate has no script, and its content security policy forbids scripts: whatever
// a span or a log line contains is text.
var pageTemplate = template.Must(template.New("page.html").Parse(pageText))

// ContentSecurityPolicy is the policy of the page, for a server's header.
const ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

// WriteHTML writes the trace as one HTML page: its spans as a waterfall, each with its
// attributes and events, and its log lines; or, without spans, what Missing says. The page
// needs no other file.
func (t Trace) WriteHTML(w io.Writer) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, t.view()); err != nil {
		return fmt.Errorf("drawing the trace: %w", err)
	}
	_, err := b.WriteTo(w)
	return err
}

// pageView has the values for the template.
type pageView struct {
	Sheet    template.CSS
	Policy   string
	ID       string
	Title    string
	Begun    string
	Took     string
	Missing  string
	Errors   int
	Services []serviceView
	Marks    []markView
	Spans    []spanView
	Lines    []lineView
}

// A serviceView is a service with the class of its colour, and the number of its spans.
type serviceView struct {
	Name, Class string
	Spans       int
}

// A markView is a line of the time axis.
type markView struct {
	Left  template.CSS
	Label string
}

// A spanView is a row of the waterfall.
type spanView struct {
	Anchor, Service, Class, Name, Kind, Took, At string
	Statement, Failure                           string
	Failed                                       bool
	// Indent is the style of the name, Bar that of the span's bar.
	Indent, Bar template.CSS
	Level       int // 0 while the name is indented
	Notes       []string
	Lines       int
	Attributes  []pairView
	Resource    []pairView
	Events      []eventView
}

type eventView struct {
	Name, At   string
	Attributes []pairView
}

type pairView struct{ Key, Value string }

// A lineView is a log line. Span is the anchor of the span that wrote it.
type lineView struct {
	Time, At, Level, Class, Service, ServiceClass, Text, Span, SpanName string
	Fields                                                              []string
}

// colors is the number of colours of services in the style sheet.
const colors = 8

func (t Trace) view() pageView {
	tree := newTree(t.Spans)
	rows := tree.rows()
	v := pageView{Sheet: template.CSS(pageSheet), Policy: ContentSecurityPolicy, ID: t.TraceID, Title: "Trace " + t.TraceID, Missing: t.Missing}
	classes := map[string]string{}
	class := func(service string) string {
		if _, known := classes[service]; !known {
			classes[service] = fmt.Sprintf("c%d", len(classes)%colors)
			v.Services = append(v.Services, serviceView{Name: harmless(service), Class: classes[service]})
		}
		return classes[service]
	}
	axis := newAxis(tree.begin, rows)
	if len(rows) > 0 {
		v.Begun = tree.begin.Local().Format("2006-01-02 15:04:05.000 MST")
		v.Took = ms(axis.length)
		v.Marks = axis.marks()
		v.Title = harmless(rows[0].Service + ": " + rows[0].Name)
	}
	anchors := map[string]int{} // of the span with an id
	for i, r := range rows {
		if _, twice := anchors[r.SpanID]; !twice && isSet(r.SpanID) {
			anchors[r.SpanID] = i
		}
		s := viewSpan(r, i, axis)
		s.Class = class(r.Service)
		if r.Failed {
			v.Errors++
		}
		v.Spans = append(v.Spans, s)
	}
	for _, r := range rows {
		i := slices.IndexFunc(v.Services, func(s serviceView) bool { return s.Name == harmless(r.Service) })
		v.Services[i].Spans++
	}
	for _, l := range t.Lines {
		one := viewLine(l, tree.begin, len(rows) > 0)
		one.ServiceClass = class(one.Service)
		if i, ok := anchors[l.Labels["span_id"]]; ok {
			one.Span, one.SpanName = v.Spans[i].Anchor, v.Spans[i].Name
			v.Spans[i].Lines++
		}
		v.Lines = append(v.Lines, one)
	}
	return v
}

// indent is the indentation of each level of the tree, in rem.
const indent = 0.875

func viewSpan(r row, number int, x axis) spanView {
	s := spanView{
		Anchor: fmt.Sprintf("s%d", number), Service: harmless(r.Service), Name: cmp.Or(harmless(r.Name), "(no name)"), Kind: string(r.Kind), Took: r.took, At: r.at,
		Statement: harmless(r.statement()), Failed: r.Failed, Failure: block(r.Message), Notes: r.notes,
		Indent: template.CSS(fmt.Sprintf("padding-inline-start:%.3frem", indent*float64(min(r.depth, maxIndent)))),
		Bar:    x.bar(r.Start, r.End), Attributes: pairs(r.Attributes), Resource: pairs(r.Resource),
	}
	if r.depth > maxIndent {
		s.Level = r.depth
	}
	for _, e := range r.Events {
		at := ""
		if isTime(r.Start) && isTime(e.Time) {
			at = fmt.Sprintf("%+.1fms", milliseconds(e.Time.Sub(r.Start)))
		}
		s.Events = append(s.Events, eventView{harmless(e.Name), at, pairs(e.Attributes)})
	}
	return s
}

func pairs(m map[string]string) []pairView {
	var all []pairView
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, pairView{harmless(key), block(m[key])})
	}
	return all
}

// block is a text of several rows, each harmless.
func block(text string) string {
	rows := strings.Split(text, "\n")
	for i := range rows {
		rows[i] = textRow(rows[i])
	}
	return strings.Join(rows, "\n")
}

// levelClass has the class of the style sheet for each level that has a colour.
var levelClass = map[string]string{"fatal": "error", "error": "error", "warn": "warn"}

func viewLine(l Line, begin time.Time, traced bool) lineView {
	v := lineView{
		Time: l.Time.Local().Format("15:04:05.000"), Level: harmless(l.Labels["level"]), Class: levelClass[l.Labels["level"]],
		Service: harmless(l.Labels["service_name"]), Text: block(strings.TrimRight(l.Text, "\r\n")),
	}
	if traced {
		v.At = fmt.Sprintf("%+.1fms", milliseconds(l.Time.Sub(begin)))
	}
	for _, attribute := range shown {
		if value := l.Labels[strings.ReplaceAll(attribute, ".", "_")]; value != "" {
			v.Fields = append(v.Fields, attribute+"="+harmless(value))
		}
	}
	return v
}
