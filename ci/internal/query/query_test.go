package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answer is what a backend answers, and what it was asked.
type answer struct {
	status int
	body   string
	asked  *http.Request
}

// serve answers every request alike.
func serve(t testing.TB, status int, body string) (url string, a *answer) {
	a = &answer{status: status, body: body}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked = r
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(s.Close)
	return s.URL, a
}

var (
	from = time.Unix(1795354900, 250_000_000)
	to   = time.Unix(1795354960, 999_999_999)
)

// asks are all the ways to ask, each without its result.
func asks(url string) map[string]func(context.Context) error {
	loki, tempo, mimir := Loki{url, http.DefaultClient}, Tempo{url, http.DefaultClient}, Mimir{url, http.DefaultClient}
	return map[string]func(context.Context) error{
		"lines":     func(ctx context.Context) error { _, err := loki.Lines(ctx, "{a}", from, to, 5); return err },
		"count":     func(ctx context.Context) error { _, err := loki.Count(ctx, "sum(a)", "b", to); return err },
		"trace":     func(ctx context.Context) error { _, err := tempo.Trace(ctx, "abc"); return err },
		"search":    func(ctx context.Context) error { _, err := tempo.Search(ctx, "{}", from, to, 5); return err },
		"instant":   func(ctx context.Context) error { _, err := mimir.Instant(ctx, "up", to); return err },
		"scalar":    func(ctx context.Context) error { _, _, err := mimir.Scalar(ctx, "up", to); return err },
		"latest":    func(ctx context.Context) error { _, err := loki.Latest(ctx, "{a}", from, to, 5); return err },
		"range":     func(ctx context.Context) error { _, err := mimir.Range(ctx, "up", from, to, time.Second); return err },
		"at":        func(ctx context.Context) error { _, err := mimir.At(ctx, "up", to); return err },
		"find":      func(ctx context.Context) error { _, err := tempo.Find(ctx, "{}", from, to, 5); return err },
		"spans":     func(ctx context.Context) error { _, err := tempo.Range(ctx, "{}", from, to, time.Second); return err },
		"exemplars": func(ctx context.Context) error { _, err := mimir.Exemplars(ctx, "up", from, to); return err },
		"rules":     func(ctx context.Context) error { _, err := mimir.Rules(ctx); return err },
		"LogQL":     func(ctx context.Context) error { return loki.Parse(ctx, "{a}") },
		"PromQL":    func(ctx context.Context) error { return mimir.Parse(ctx, "up") },
		"TraceQL":   func(ctx context.Context) error { return tempo.Parse(ctx, "{}") },
		"values":    func(ctx context.Context) error { _, err := mimir.LabelValues(ctx, "job", "up", from, to); return err },
	}
}

// TestBadAnswers gives every question an answer that has no data.
func TestBadAnswers(t *testing.T) {
	const proxy = "<html>\n<title>502 Bad Gateway</title>\n</html>"
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   []string // parts of the error
		not    []string // names of those for which another want holds
	}{
		{name: "the backend's own words", status: 400, body: "parse error at line 1, col 6:\n  syntax error", want: []string{"answered 400 Bad Request: parse error at line 1, col 6: syntax error"}},
		{name: "no words", status: 500, body: "", want: []string{"answered 500 Internal Server Error: (no text)"}},
		{name: "very many words", status: 503, body: strings.Repeat("no ", 1000), want: []string{"answered 503", "no no no…"}},
		{name: "not found", status: 404, body: "404 page not found", want: []string{"answered 404 Not Found: 404 page not found"}, not: []string{"trace"}},
		{name: "a proxy's page", status: 200, body: proxy, want: []string{"unexpected answer", "<html> <title>502 Bad Gateway</title> </html>"}},
		{name: "half an answer", status: 200, body: `{"data":{"resultType":"vec`, want: []string{"unexpected answer"}},
		{name: "not text", status: 500, body: "\xff\xfe\x00", want: []string{"answered 500"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _ := serve(t, c.status, c.body)
			for name, ask := range asks(url) {
				err := ask(t.Context())
				if err == nil {
					t.Errorf("%s takes it for an answer", name)
					continue
				}
				if len(err.Error()) > 500 || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: the error is %d bytes, or more than a line: %q", name, len(err.Error()), err)
				}
				for _, want := range c.want {
					if strings.Contains(strings.Join(c.not, " "), name) {
						continue
					}
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: the error %q does not say %q", name, err, want)
					}
				}
				if errors.Is(err, ErrNotFound) != (c.status == 404 && name == "trace") {
					t.Errorf("%s: whether %q is ErrNotFound is wrong", name, err)
				}
			}
		})
	}
}

// TestNoAnswer asks a server that is gone, and one that hangs.
func TestNoAnswer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hung.Close)
	for name, ask := range asks(gone.URL) {
		err := ask(t.Context())
		if err == nil || !strings.Contains(err.Error(), "asking 127.0.0.1:") || strings.Contains(err.Error(), "?") {
			t.Errorf("%s: error %v, want it to name the host and not the whole address", name, err)
		}
	}
	for name, ask := range asks(hung.URL) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: error %v, want that the time was up", name, err)
		}
		cancel()
	}
}

// TestOddAnswers gives well-formed JSON of another shape.
func TestOddAnswers(t *testing.T) {
	vector := func(value string) string {
		return `{"data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":` + value + `}]}}`
	}
	for _, c := range []struct{ ask, body, want string }{
		{"instant", `{}`, `the answer is a "", not a vector`},
		{"instant", `{"data":{"resultType":"matrix","result":[]}}`, `the answer is a "matrix", not a vector`},
		{"instant", vector(`[1]`), "a sample without a value"},
		{"instant", vector(`[1,2]`), "a sample without a value"},
		{"instant", vector(`[1,"many"]`), `"many", which is not a number`},
		{"instant", vector(`[1,"NaN"]`), `"NaN", which is not a number`},
		{"scalar", vector(`[1,"NaN"]`), `"NaN", which is not a number`},
		{"scalar", `{"data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}`, "up: 2 series where one was expected"},
		{"count", `{}`, `the answer is a "", not a vector`},
		{"count", `{"data":{"resultType":"streams","result":[]}}`, `the answer is a "streams", not a vector`},
		{"count", vector(`[1,"NaN"]`), `"NaN", which is not a number`},
		{"lines", `{}`, `the answer is a "", not streams`},
		{"lines", vector(`[1,"2"]`), `the answer is a "vector", not streams`},
		{"lines", `{"data":{"resultType":"streams","result":[{"values":[["1"]]}]}}`, "a line without a time"},
		{"lines", `{"data":{"resultType":"streams","result":[{"values":[["now","text"]]}]}}`, `"now", which is not nanoseconds`},
		{"exemplars", `{"data":{}}`, "unexpected answer"},
		{"search", `{"traces":{}}`, "unexpected answer"},
		{"rules", `{"data":{"groups":{}}}`, "unexpected answer"},
		{"values", `{"data":{}}`, "unexpected answer"},
	} {
		t.Run(c.ask+" "+c.body, func(t *testing.T) {
			url, _ := serve(t, 200, c.body)
			if err := asks(url)[c.ask](t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

// TestTooLong is about an answer that is longer than any can be.
func TestTooLong(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range maxBody>>20 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	if testing.Short() {
		t.Skip("256 MB take a second; run without -short")
	}
	_, err := (Mimir{s.URL, http.DefaultClient}).Instant(t.Context(), "up", to)
	if err == nil || !strings.Contains(err.Error(), "longer than 256 MB") {
		t.Errorf("error %v, want that the answer is too long", err)
	}
}

func ExampleMimir_Scalar() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1795354930.679,"42"]}]}}`)
	}))
	defer s.Close()
	value, found, err := (Mimir{URL: s.URL, HTTP: s.Client()}).Scalar(context.Background(), `sum(lab_users)`, time.Now())
	fmt.Println(value, found, err)
	// Output: 42 true <nil>
}
