package traceview

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// serve asks the handler for a trace that the backends have.
func serve(t *testing.T, b *backends, path string) (status int, page string, header http.Header) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/traces/{id}", b.trace)
	mux.HandleFunc("GET /loki/api/v1/query_range", b.logs)
	stores := httptest.NewServer(mux)
	defer stores.Close()
	pages := httptest.NewServer(Handler(query.Tempo{URL: stores.URL, HTTP: stores.Client()}, query.Loki{URL: stores.URL, HTTP: stores.Client()}))
	defer pages.Close()
	response, err := pages.Client().Get(pages.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(raw), response.Header
}

var pageRow = regexp.MustCompile(`<details id="s\d+"`)

// Each span is on the page once, with a bar that lies within the axis, and each line,
// with a link to the span that wrote it.
func TestPage(t *testing.T) {
	now := time.Now().Add(-time.Minute)
	at := func(ms int) uint64 { return uint64(now.Add(time.Duration(ms) * time.Millisecond).UnixNano()) }
	b := &backends{
		spans: []sentSpan{
			{name: "GET /cart", id: "aaaaaaaaaaaaaaa1", start: at(0), end: at(100)},
			{name: "SELECT", id: "bbbbbbbbbbbbbbb2", parent: "aaaaaaaaaaaaaaa1", start: at(25), end: at(75), failed: "locked"},
			{name: "a circle", id: "ccccccccccccccc3", parent: "ccccccccccccccc3", start: at(50), end: at(40)},
		},
		lines: []sentLine{{now, "no stock"}},
	}
	status, page, header := serve(t, b, "/trace/abc000000000000000000000def")
	if status != http.StatusOK || header.Get("Content-Security-Policy") == "" {
		t.Fatalf("status %d, header %v: %s", status, header, page)
	}
	if n := len(pageRow.FindAllString(page, -1)); n != 3 {
		t.Errorf("%d rows, want 3:\n%s", n, page)
	}
	for _, want := range []string{
		"left:0.000%;width:100.000%", "left:25.000%;width:50.000%", "its own ancestor", "ends before it starts",
		"Its status is Error: locked", "no stock", testID, "0 ms", "100 ms",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// What others have sent is text on the page, never markup or a script.
func TestPageIsHarmless(t *testing.T) {
	now := time.Now()
	evil := `"><script>alert(1)</script>` + "\x1b[2J"
	b := &backends{
		spans: []sentSpan{{name: evil, id: "aaaaaaaaaaaaaaa1", start: uint64(now.UnixNano()), end: uint64(now.UnixNano()), failed: evil}},
		lines: []sentLine{{now.Add(-time.Second), evil}},
	}
	_, page, _ := serve(t, b, "/trace/"+testID)
	if strings.Contains(page, "<script") || strings.Contains(page, "\x1b") || strings.Count(page, "&lt;script&gt;") < 3 {
		t.Errorf("the page has what was sent as markup:\n%s", page)
	}
}

// The page of a trace that is not there says why, shows the lines that there are, and
// answers 404, so that a program can tell.
func TestPageWithoutSpans(t *testing.T) {
	status, page, _ := serve(t, &backends{lines: []sentLine{{time.Now().Add(-time.Minute), "all alone"}}}, "/trace/"+testID)
	if status != http.StatusNotFound || !strings.Contains(page, "all alone") || !strings.Contains(page, "ends in -00") {
		t.Errorf("status %d:\n%s", status, page)
	}
	if status, page, _ := serve(t, &backends{}, "/trace/nonsense"); status != http.StatusBadRequest || !strings.Contains(page, "not a trace id") {
		t.Errorf("status %d:\n%s", status, page)
	}
}

// The axis has some round marks, whatever a trace's length.
func TestMarks(t *testing.T) {
	for length := time.Microsecond; length < 100*24*time.Hour; length = length*13/10 + 1 {
		marks := axis{length: length}.marks()
		if len(marks) < 3 || len(marks) > 10 {
			t.Errorf("%v: %d marks: %v", length, len(marks), marks)
		}
	}
}
