package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
)

// expect fails unless the page contains all fragments.
func (a answer) expect(t *testing.T, fragments ...string) {
	t.Helper()
	for _, fragment := range fragments {
		if !strings.Contains(a.body, fragment) {
			t.Errorf("the page has no %q", fragment)
		}
	}
}

// expectNot fails if the page contains one of the fragments.
func (a answer) expectNot(t *testing.T, fragments ...string) {
	t.Helper()
	for _, fragment := range fragments {
		if i := strings.Index(a.body, fragment); i >= 0 {
			t.Errorf("the page has %q: …%s", fragment, a.body[max(0, i-80):min(len(a.body), i+80)])
		}
	}
}

func TestPage(t *testing.T) {
	names := make([]string, pageSize+1)
	for i := range names {
		names[i] = "Ada"
	}
	site := newSite(t, newFakeBackend(t, nil, names...).URL, nil)
	got := site.do(t, "GET", "/", "")
	trace := got.Header.Get(httpx.HeaderTraceID)
	if got.StatusCode != 200 || !traceID.MatchString(trace) {
		t.Fatalf("= %d, trace %q", got.StatusCode, trace)
	}
	got.expect(t, `data-user-id="1"`, `data-user-id="20"`, `>12,345</dd>`, `>51 MiB</dd>`, `>1 h 2 min</dd>`, `>v9.9</dd>`,
		`<time datetime="2026-01-02T15:04:05Z">2026-01-02 15:04</time>`,
		`<code id="trace-id">`+trace+`</code>`, `href="https://traces.example/t/`+trace+`?a=1&amp;b=2"`,
		`<span id="last-status" data-class="good">200</span>`, `href="/?cursor=20"`, `id="first-page" href="/" hidden`)
	got.expectNot(t, `data-user-id="21"`, ` disabled`, `id="faults-off"`)

	next := site.do(t, "GET", "/?cursor=20", "")
	next.expect(t, `data-user-id="21"`, `name="cursor" value="20"`, `id="first-page" href="/">`, `id="next-page" rel="next" hidden`)
	next.expectNot(t, `data-user-id="20"`)

	// The user who was just added is highlighted: in place, or at the top of another
	// page.
	for _, id := range []string{"20", "21"} {
		site.do(t, "GET", "/?did=add&status=201&ms=1&id="+id, "").expect(t, `data-user-id="`+id+`" class="fresh"`)
	}
}

func TestPageHeaders(t *testing.T) {
	site := newSite(t, newFakeBackend(t, nil, "Ada").URL, nil)
	page := site.do(t, "GET", "/", "")
	for _, got := range []answer{page, site.do(t, "GET", "/api/stats", ""), site.do(t, "GET", "/none", "")} {
		for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if csp := got.Header.Get("Content-Security-Policy"); !strings.Contains(csp, directive) || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: Content-Security-Policy = %q", got.Request.URL.Path, csp)
			}
		}
		if got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", got.Request.URL.Path, got.Header)
		}
	}
	// The page has nothing that the policy would block.
	inline := regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:|src="(?:https?:)?//`)
	if found := inline.FindString(page.body); found != "" {
		t.Errorf("the page has %q", found)
	}
	files := regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(files) != 3 {
		t.Fatalf("the page loads %q, want three files", files)
	}
	for _, file := range files {
		got := site.do(t, "GET", file[1], "")
		if got.StatusCode != 200 || len(got.body) < 100 || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s = %d, %v", file[1], got.StatusCode, got.Header)
		}
	}
}

func TestPageEscapes(t *testing.T) {
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}`
	backend := newFakeBackend(t, nil, hostile)
	site := newSite(t, backend.URL, nil)
	for _, got := range []answer{
		site.do(t, "GET", "/", ""),
		site.do(t, "GET", "/?did=add&status=201&ms=1&id=1", ""),
		site.post(t, "/ui/users", url.Values{"name": {hostile}, "email": {"taken@example.com"}}),
		site.do(t, "GET", "/?cursor="+url.QueryEscape(hostile)+"&did="+url.QueryEscape(hostile), ""),
	} {
		got.expect(t, "&lt;script&gt;")
		got.expectNot(t, "<script>", "<img", "onerror=alert(2)>'{{.}}\"")
	}
}

func TestPageTellsWhatHappened(t *testing.T) {
	const trace = "0123456789abcdef0123456789abcdef"
	site := newSite(t, newFakeBackend(t, nil, "Ada").URL, nil)
	for _, test := range []struct{ query, message, line, status string }{
		{"did=add&status=201&ms=12.3&id=1", "Ada was added.", "/ui/users", "good\">201"},
		{"did=add&status=201&ms=12.3&id=9", "The user was added.", "/ui/users", "good\">201"},
		{"did=delete&status=204&ms=12.3&id=4", "The user was deleted.", "/ui/users/4/delete", "good\">204"},
		{"did=delete&status=404&ms=12.3&id=4", "The user was gone already.", "/ui/users/4/delete", "warn\">404"},
		{"did=slow&status=200&ms=760", "The slow query answered.", "/ui/slow", "good\">200"},
		{"did=slow&status=200&ms=12.3", "The query was not slow", "/ui/slow", "good\">200"},
		{"did=slow&status=504&ms=12.3", "The backend took too long", "/ui/slow", "bad\">504"},
		{"did=error&status=500&ms=12.3", "The query failed, as you asked.", "/ui/error", "bad\">500"},
		{"did=error&status=200&ms=12.3", "The query did not fail", "/ui/error", "good\">200"},
		{"did=error&status=503&ms=12.3", "The backend is busy.", "/ui/error", "bad\">503"},
	} {
		got := site.do(t, "GET", "/?"+test.query+"&trace="+trace, "")
		got.expect(t, test.message, `<span id="last-method">POST</span> <span id="last-path">`+test.line+`<`,
			test.status, `<code id="trace-id">`+trace+`</code>`, `href="https://traces.example/t/`+trace+`?`)
	}
}

func TestPageBelievesNoStrangeQuery(t *testing.T) {
	site := newSite(t, newFakeBackend(t, nil, "Ada").URL, nil)
	for _, query := range []string{
		"did=slow&status=200&ms=1&trace=xyz", "did=slow&status=200&ms=1&trace=0123456789ABCDEF0123456789ABCDEF",
		"did=slow&status=200&ms=1&trace=0123456789abcdef0123456789abcdef0", "did=slow&status=200&ms=NaN", "did=slow&status=200&ms=-1",
		"did=slow&status=200&ms=1e300", "did=slow&status=999&ms=1", "did=slow&status=x&ms=1", "did=slow&status=200&ms=1&id=-4",
		"did=hack&status=200&ms=1", "did=slow",
	} {
		got := site.do(t, "GET", "/?"+query, "")
		got.expect(t, "You loaded this page.", `<code id="trace-id">`+got.Header.Get(httpx.HeaderTraceID)+`</code>`)
	}
}

func TestPageWithoutUsableBackend(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello")) }
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	for _, test := range []struct {
		name, url string
		status    int
		message   string
	}{
		{"not reachable", deadAddress(t), 502, "The backend cannot be reached."},
		{"too slow", newFakeBackend(t, hang).URL, 504, "The backend took too long to answer."},
		{"an answer that breaks off", newFakeBackend(t, breakOff).URL, 502, "The backend&#39;s answer broke off."},
		{"no JSON", newFakeBackend(t, html).URL, 502, "The backend&#39;s answer could not be understood."},
		{"busy", newFakeBackend(t, busy).URL, 503, "The backend is busy. Try again in a moment."},
	} {
		t.Run(test.name, func(t *testing.T) {
			site := newSite(t, test.url, func(c *config) { c.backendTimeout = 200 * time.Millisecond })
			got := site.do(t, "GET", "/", "")
			if got.StatusCode != test.status {
				t.Errorf("status = %d, want %d", got.StatusCode, test.status)
			}
			got.expect(t, test.message, `<dl id="stats" hidden>`, `id="list-error" class="trouble">`, `id="add-form"`, `</html>`,
				got.Header.Get(httpx.HeaderTraceID))
			got.expectNot(t, "127.0.0.1")
		})
	}
}

func TestPageWithHalfABackend(t *testing.T) {
	backend := newFakeBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stats" {
			writeFakeProblem(w, 500, "")
			return
		}
		writeFake(w, 200, map[string]any{"users": []any{}})
	})
	got := newSite(t, backend.URL, nil).do(t, "GET", "/", "")
	if got.StatusCode != 200 {
		t.Errorf("status = %d", got.StatusCode)
	}
	got.expect(t, `<dl id="stats" hidden>`, `<p id="empty" class="empty">No users yet.`, `aria-labelledby="users-title" hidden>`)
}

func TestPageWithStaleCursor(t *testing.T) {
	got := newSite(t, newFakeBackend(t, nil, "Ada").URL, nil).do(t, "GET", "/?cursor=stale", "")
	if got.StatusCode != http.StatusBadRequest {
		t.Errorf("status = %d", got.StatusCode)
	}
	got.expect(t, "There is no such page of the list.", `id="first-page" href="/">`)
}

func TestPageWithFaultsOff(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada")
	site := newSite(t, backend.URL, func(c *config) { c.faults, c.traceURL = false, "" })
	got := site.do(t, "GET", "/", "")
	got.expect(t, `<button id="slow" aria-describedby="slow-hint" disabled>`, `<button id="fail" aria-describedby="fail-hint" disabled>`,
		`LAB_FAULTS=true`, `rel="noopener" hidden>`)

	before := len(backend.requests())
	to := site.post(t, "/ui/slow", nil)
	if to.StatusCode != http.StatusSeeOther || len(backend.requests()) != before {
		t.Errorf("POST /ui/slow = %d, %d requests", to.StatusCode, len(backend.requests())-before)
	}
	site.do(t, "GET", to.Header.Get("Location"), "").expect(t, "Nothing was caused: faults are switched off here.")
}
