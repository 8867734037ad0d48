package snapshot

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A fake stands for Mimir, Loki and Tempo. It gives the answers that a real lab once gave
// to the queries of testdata/every-kind.json, unless a test changes them.
type fake struct {
	now     time.Time
	answers map[string]recorded
	// change may replace the answer to "path query".
	change    func(asked string, r recorded) recorded
	addresses target.Addresses
}

type recorded struct {
	Asked  string          `json:"asked"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

func newFake(t *testing.T) *fake {
	t.Helper()
	var file struct {
		Now     time.Time  `json:"now"`
		Answers []recorded `json:"answers"`
	}
	read(t, "testdata/answers.json", &file)
	f := &fake{now: file.Now, answers: map[string]recorded{}, change: func(_ string, r recorded) recorded { return r }}
	for _, a := range file.Answers {
		f.answers[a.Asked] = a
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Path + " " + r.URL.Query().Get("query") + r.URL.Query().Get("q")
		known, ok := f.answers[asked]
		if !ok {
			known = recorded{Status: http.StatusTeapot, Body: []byte("never recorded")}
		}
		known = f.change(asked, known)
		w.WriteHeader(known.Status)
		_, _ = w.Write(known.Body)
	}))
	t.Cleanup(s.Close)
	f.addresses = target.Addresses{Name: "local", Mimir: s.URL, Loki: s.URL, Tempo: s.URL}
	return f
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func everyKind(t *testing.T) dashboards.Dashboard {
	t.Helper()
	raw, err := os.ReadFile("testdata/every-kind.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := dashboards.Read("every-kind.json", raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// taken returns a snapshot of the fake, and its page.
func (f *fake) taken(t *testing.T) (Snapshot, *document) {
	t.Helper()
	o := Options{Addresses: f.addresses, Commit: "0123456789ab", Last: 2 * time.Minute, Dashboards: []dashboards.Dashboard{everyKind(t)}}
	s, err := take(t.Context(), o, f.now)
	if err != nil {
		t.Fatal(err)
	}
	return s, written(t, s)
}

// written returns a snapshot's page.
func written(t *testing.T, s Snapshot) *document {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return &document{node{root}, b.String()}
}

// A document is a page as a browser parses it.
type document struct {
	node
	source string
}

// panel returns the element of the panel with that title.
func (d *document) panel(t *testing.T, title string) node {
	t.Helper()
	for _, p := range d.all("article", "panel") {
		if h := p.all("h4", ""); len(h) == 1 && h[0].text() == title {
			return p
		}
	}
	t.Fatalf("the page has no panel %q", title)
	return node{}
}

type node struct{ *html.Node }

// all returns the elements with that name, and with that class if it is not "".
func (n node) all(name, class string) []node {
	var found []node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == name && (class == "" || strings.Contains(" "+node{d}.attribute("class")+" ", " "+class+" ")) {
			found = append(found, node{d})
		}
	}
	return found
}

func (n node) attribute(name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text returns all text in the element, with single spaces.
func (n node) text() string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
