package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
)

func TestFormsRedirectToThePage(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada")
	site := newSite(t, backend.URL, nil)
	for _, test := range []struct {
		name, path string
		form       url.Values
		want       map[string]string // of the redirect's query
		wantURI    string            // at the backend
		wantFault  string
	}{
		{"add", "/ui/users", url.Values{"name": {"Grace"}, "email": {"g@example.com"}},
			map[string]string{"did": "add", "status": "201", "id": "2"}, "/users", ""},
		{"delete", "/ui/users/7/delete", nil, map[string]string{"did": "delete", "status": "204", "id": "7"}, "/users/7", ""},
		{"delete an unknown user", "/ui/users/404/delete", nil, map[string]string{"did": "delete", "status": "404", "id": "404"}, "/users/404", ""},
		{"slow", "/ui/slow", nil, map[string]string{"did": "slow", "status": "200"}, "/users?limit=1", "lab.fault=delay:750ms"},
		{"fail", "/ui/error", nil, map[string]string{"did": "error", "status": "500"}, "/users?limit=1", "lab.fault=error"},
		{"stays on its page", "/ui/slow", url.Values{"cursor": {"20"}}, map[string]string{"cursor": "20"}, "/users?limit=1", "lab.fault=delay:750ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := site.post(t, test.path, test.form, httpx.HeaderRequestID, "form-1")
			to, err := url.Parse(got.Header.Get("Location"))
			if got.StatusCode != http.StatusSeeOther || err != nil || to.Path != "/" || to.Host != "" || to.Scheme != "" {
				t.Fatalf("= %d to %q", got.StatusCode, got.Header.Get("Location"))
			}
			for key, want := range test.want {
				if to.Query().Get(key) != want {
					t.Errorf("%s = %q, want %q in %s", key, to.Query().Get(key), want, to)
				}
			}
			if to.Query().Get("trace") != got.Header.Get(httpx.HeaderTraceID) {
				t.Errorf("trace in %s is not %q", to, got.Header.Get(httpx.HeaderTraceID))
			}
			if _, ok := parseFlash(to.Query()); !ok {
				t.Errorf("parseFlash refuses %s", to)
			}
			seen := backend.requests()
			last := seen[len(seen)-1]
			if last.RequestURI != test.wantURI || last.Header.Get("Baggage") != test.wantFault || last.Header.Get(httpx.HeaderRequestID) != "form-1" {
				t.Errorf("the backend was asked %s with baggage %q, request id %q", last.RequestURI, last.Header.Get("Baggage"), last.Header.Get(httpx.HeaderRequestID))
			}
		})
	}
}

func TestFormsRedirectNowhereElse(t *testing.T) {
	site := newSite(t, newFakeBackend(t, nil).URL, nil)
	for _, cursor := range []string{"//evil.example", "https://evil.example", "x\r\nLocation: https://evil.example", `\\evil`, "?a=b", "#x", strings.Repeat("a", 129)} {
		got := site.post(t, "/ui/slow", url.Values{"cursor": {cursor}, "next": {cursor}, "return": {cursor}})
		if to := got.Header.Get("Location"); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/?did=slow&ms=") || strings.Contains(to, "evil") {
			t.Errorf("cursor %q: %d to %q", cursor, got.StatusCode, to)
		}
	}
}

func TestFormAddShowsWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name, email string
		status      int
		want        []string
	}{
		{"", "a@example.com", 422, []string{`id="name-error">A name is required.</p>`, `value="a@example.com"`, `aria-invalid="true" aria-describedby="name-error"`}},
		{"Ada", "taken@example.com", 409, []string{`id="email-error">Another user has this address.</p>`, `value="Ada"`, `aria-invalid="true" aria-describedby="email-error"`}},
	} {
		got := newSite(t, newFakeBackend(t, nil, "Grace").URL, nil).post(t, "/ui/users", url.Values{"name": {test.name}, "email": {test.email}})
		if got.StatusCode != test.status {
			t.Errorf("status = %d, want %d", got.StatusCode, test.status)
		}
		got.expect(t, append(test.want, `data-user-id="1"`, `<span id="last-method">POST</span> <span id="last-path">/ui/users<`,
			`<code id="trace-id">`+got.Header.Get(httpx.HeaderTraceID))...)
	}
	// The input stays in the form if the backend is away.
	got := newSite(t, deadAddress(t), nil).post(t, "/ui/users", url.Values{"name": {"Ada"}, "email": {"a@example.com"}})
	if got.StatusCode != http.StatusBadGateway {
		t.Errorf("without a backend: status = %d", got.StatusCode)
	}
	got.expect(t, `value="Ada"`, `value="a@example.com"`, "The backend cannot be reached.")
}

func TestFormsRefuse(t *testing.T) {
	backend := newFakeBackend(t, nil)
	site := newSite(t, backend.URL, nil)
	for _, test := range []struct {
		path, body string
		status     int
	}{
		{"/ui/users", "name=" + strings.Repeat("a", httpx.MaxBody+1), 413},
		{"/ui/slow", "cursor=" + strings.Repeat("a", httpx.MaxBody+1), 413},
		{"/ui/users", "name=%zz", 400},
		{"/ui/users/0/delete", "", 400},
		{"/ui/users/x/delete", "", 400},
		{"/ui/users/..%2f1/delete", "", 400},
	} {
		got := site.do(t, "POST", test.path, test.body, "Content-Type", "application/x-www-form-urlencoded")
		if got.StatusCode != test.status || got.problem(t).Status != test.status {
			t.Errorf("%s = %d %s, want %d", test.path, got.StatusCode, got.body, test.status)
		}
	}
	if seen := backend.requests(); len(seen) != 0 {
		t.Errorf("the backend was asked %s", seen[0].RequestURI)
	}
}
