package snapshot

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// TestEveryPanel draws what a lab once answered, one panel of each kind.
func TestEveryPanel(t *testing.T) {
	s, page := newFake(t).taken(t)
	for _, c := range []struct {
		title string
		state State
		says  []string // parts of its text, in order
		paths int      // lines and areas of its drawing
		place string
	}{
		{"Requests", Shown, []string{"55.2 req/s", "What it means", "what to do when it is red", "Query: 1 series", `sum(rate(http_server_request_duration_seconds_count{service_name=~".+"}[20s]))`}, 1, "grid-area:1/1/2/span 6"},
		{"Error ratio", Shown, []string{"2.04%"}, 0, "grid-area:1/7/2/span 6"},
		{"Memory of its limit", Shown, []string{"frontend", "61.1%", "backend", "62.6%"}, 0, ""},
		{"Components up", Shown, []string{"alloy", "up", "loki", "up", "mimir", "up", "tempo", "up", "4 series"}, 0, ""},
		{"Requests by route", Shown, []string{"15 req/s", "16:28:00", "last", "mean", "max", "frontend /api/users/{id}", "11.6 req/s", "7.35 req/s", "13.7 req/s", "6 series"}, 6, "grid-area:2/1/3/span 12"},
		{"Duration quantiles", Shown, []string{"300 ms", "p50", "2.61 ms", "p90", "p99", "202 ms", "◆ 10 exemplars; the highest is 36.7 ms", "3 queries", "P90 · prometheus · 1 series"}, 3, ""},
		{"Memory, stacked", Shown, []string{"80 MiB", "backend", "38.2 MiB", "frontend"}, 4, "grid-area:3/1/4/span 8"},
		{"Request durations", Shown, []string{"0 s", "10 ms", "10 s", "300", "◆ 10 exemplars"}, 6, "grid-area:3/9/4/span 16"},
		{"Requests by status", Shown, []string{"204", "664", "200", "3.24 K"}, 0, ""},
		{"Routes", Shown, []string{"Route", "Service", "Requests", "Mean", "/api/stats", "frontend", "1.86 req/s", "1.48 ms", "2 queries"}, 0, ""},
		{"Errors and warnings", Shown, []string{"16:29:11.638", "error", "frontend", "request", "duration_ms=0.81778", "5 more lines", "20 lines"}, 0, ""},
		{"Panics", Quiet, []string{"No panics in this range", "Query: 0 lines"}, 0, ""},
		{"Log lines", Shown, []string{"40 c/s", "backend error", "0.8 c/s"}, 4, ""},
		{"Slowest traces", Shown, []string{"Duration", "16:28:23.700", "<root span not yet received>", "105 ms", "b0ef63d4bf46ff820000000000000305", "6 traces"}, 0, ""},
		{"Service map", Shown, []string{"frontend", "17.4 req/s · 3.64 ms · 6.78% failed", "backend", "backend", "users", "2 edges"}, 0, ""},
		{"Spans", Shown, []string{"backend", "61.2 ops/s"}, 2, ""},
		{"Nothing here", Empty, []string{"No data, and there should be some.", "0 series", "no_such_metric"}, 0, ""},
		{"Broken", Failed, []string{"answered 400 Bad Request", "unclosed left parenthesis", "not answered", "sum(rate(up[1m])"}, 0, ""},
	} {
		p := page.panel(t, c.title)
		if got := p.attribute("data-state"); got != string(c.state) {
			t.Errorf("%s is %s, want %s", c.title, got, c.state)
		}
		text := p.text()
		for _, part := range c.says {
			_, rest, ok := strings.Cut(text, part)
			if !ok {
				t.Errorf("%s does not say %q in its place: %s", c.title, part, p.text())
				break
			}
			text = rest
		}
		if n := len(p.all("path", "")); n != c.paths {
			t.Errorf("%s: %d paths, want %d", c.title, n, c.paths)
		}
		if place := p.attribute("style"); c.place != "" && place != c.place {
			t.Errorf("%s is at %q, want %q", c.title, place, c.place)
		}
	}
	if n := len(page.all("article", "panel")); n != 18 {
		t.Errorf("%d panels, want 18", n)
	}
	failed, empty := s.Failures()
	if len(failed) != 1 || len(empty) != 1 || failed[0] != "Every kind of panel / Broken" {
		t.Errorf("failed %q, empty %q", failed, empty)
	}
	if l := s.List(); l.OK || l.Counts[Shown] != 15 || len(l.Panels) != 19 {
		t.Errorf("the list says ok %v, %d with data of %d", l.OK, l.Counts[Shown], len(l.Panels))
	}
}

func TestHead(t *testing.T) {
	_, page := newFake(t).taken(t)
	head := page.all("header", "top")[0]
	for _, part := range []string{"Target local", "22 November 2026, 16:29:17 UTC", "0123456789ab",
		"1 with a query that failed", "1 without the data they should have", "15 with data", "1 rightly empty", "1 for a cluster only"} {
		if words := strings.Join(texts(head), " "); !strings.Contains(words, part) {
			t.Errorf("the head does not say %q: %s", part, words)
		}
	}
	// Every link leads to an element of the page.
	for _, a := range head.all("a", "") {
		id := strings.TrimPrefix(a.attribute("href"), "#")
		if !strings.Contains(page.source, `id="`+id+`"`) {
			t.Errorf("%q leads to %q, which is not there", a.text(), id)
		}
	}
	if n := len(head.all("a", "is-failed")); n != 1 {
		t.Errorf("%d links to what failed", n)
	}
}

// texts returns the texts in an element.
func texts(n node) []string {
	var all []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode && strings.TrimSpace(d.Data) != "" {
			all = append(all, strings.Join(strings.Fields(d.Data), " "))
		}
	}
	return all
}

// Outside a cluster, the page names the panels that are left out.
func TestOnlyInACluster(t *testing.T) {
	f := newFake(t)
	_, page := f.taken(t)
	if notes := page.all("p", "skipped"); len(notes) != 1 || !strings.Contains(notes[0].text(), "CPU of the pods") {
		t.Errorf("the page does not name the panel that only a cluster fills: %v", notes)
	}
	var asked atomic.Bool
	f.change = func(query string, r recorded) recorded {
		if strings.Contains(query, "container_cpu") {
			asked.Store(true)
		}
		return r
	}
	s, err := take(t.Context(), Options{Addresses: f.addresses, Kubernetes: true, Dashboards: []dashboards.Dashboard{everyKind(t)}}, f.now)
	if err != nil || !asked.Load() {
		t.Errorf("in a cluster the panel is not asked for: %v", err)
	}
	if notes := written(t, s).all("p", "skipped"); len(notes) > 0 {
		t.Error("in a cluster the page says that it is none")
	}
}

// A value has the colour of its threshold, and its own text if it is mapped to one.
func TestColors(t *testing.T) {
	f := newFake(t)
	f.change = func(asked string, r recorded) recorded {
		if strings.HasSuffix(asked, " up") {
			r.Body = json.RawMessage(strings.Replace(string(r.Body), `"1"`, `"0"`, 1))
		}
		return r
	}
	_, page := f.taken(t)
	values := func(title string) string {
		var all []string
		for _, v := range page.panel(t, title).all("span", "value") {
			all = append(all, v.text()+" "+strings.TrimPrefix(v.attribute("class"), "value "))
		}
		return strings.Join(all, ", ")
	}
	for title, want := range map[string]string{
		"Error ratio":         "2.04% t-orange",
		"Memory of its limit": "61.1% t-orange, 62.6% t-orange",
		"Components up":       "down t-red, up t-green, up t-green, up t-green",
	} {
		if got := values(title); got != want {
			t.Errorf("%s: %s, want %s", title, got, want)
		}
	}
}

// evil is a label that tries to get markup and scripts onto the page.
const evil = `"><img src=x onerror=alert(1)><script>alert(2)</script><style>*{display:none}</style>javascript:alert(3)`

// Labels, log lines, names of traces and errors of backends are text on the page.
func TestNothingGetsOut(t *testing.T) {
	f := newFake(t)
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	inside := string(quoted[1 : len(quoted)-1])
	f.change = func(asked string, r recorded) recorded {
		if r.Status != http.StatusOK {
			r.Body = json.RawMessage(evil)
			return r
		}
		body := string(r.Body)
		for _, value := range []string{`"frontend"`, `"request"`, `"/users"`, `"204"`, `"error"`, `"\u003croot span not yet received\u003e"`, `"<root span not yet received>"`} {
			body = strings.ReplaceAll(body, value, `"`+inside+strings.Trim(value, `"`)+`"`)
		}
		r.Body = json.RawMessage(body)
		return r
	}
	s, page := f.taken(t)
	if l := s.List(); l.Counts[Shown] < 15 {
		t.Fatalf("only %d panels are shown: the answers are no longer ones", l.Counts[Shown])
	}
	if n := len(page.all("script", "")) + len(page.all("img", "")) + len(page.all("style", "")) - 1; n != 0 {
		t.Errorf("%d elements came in with the data", n)
	}
	for _, title := range []string{"Requests by route", "Requests by status", "Errors and warnings", "Slowest traces", "Service map", "Broken"} {
		if text := page.panel(t, title).text(); !strings.Contains(text, "<img src=x onerror=alert(1)>") {
			t.Errorf("%s does not show the text: %.300s", title, text)
		}
	}
}

// references matches everything that makes a browser fetch or run something.
var references = regexp.MustCompile(`(?i)\s(src|srcset|on\w+|action|data|poster)=|url\(|@import|<(script|link|iframe|object|embed|base|form|image|use)\b`)

func TestSelfContained(t *testing.T) {
	_, page := newFake(t).taken(t)
	if m := references.FindString(page.source); m != "" {
		t.Errorf("the page has %q in it", m)
	}
	for _, a := range page.all("a", "") {
		if !strings.HasPrefix(a.attribute("href"), "#") {
			t.Errorf("a link leads to %s", a.attribute("href"))
		}
	}
	if !strings.Contains(page.source, `content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;`) && !strings.Contains(page.source, `content="default-src 'none'; style-src 'unsafe-inline'`) {
		t.Error("no policy forbids the page to fetch anything")
	}
	if strings.Contains(page.source, "ZgotmplZ") {
		t.Error("the template has refused something")
	}
}

// A row of a table has the values of all queries for the same labels.
func TestTables(t *testing.T) {
	_, page := newFake(t).taken(t)
	table := func(title string) [][]string {
		var all [][]string
		for _, r := range page.panel(t, title).all("tr", "")[1:] {
			all = append(all, texts(r))
		}
		return all
	}
	routes := table("Routes")
	if len(routes) != 9 || strings.Join(routes[len(routes)-1], " ") != "/users backend 9.28 req/s 7.11 ms" {
		t.Errorf("routes: %q, want 9 with both values", routes)
	}
	// Sorted as the panel has it: the slowest is on top.
	traces := table("Slowest traces")
	if len(traces) != 6 || traces[0][2] != "105 ms" || traces[5][2] != "101 ms" {
		t.Errorf("traces: %q", traces)
	}
}
