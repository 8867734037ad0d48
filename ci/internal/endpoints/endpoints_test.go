package endpoints_test

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints/labtest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

func target(lab *labtest.Lab) endpoints.Target {
	return endpoints.Target{Frontend: lab.Frontend, Backend: lab.Backend}
}

func failed(checks []report.Check) []report.Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c report.Check) bool { return !c.Failed() })
}

func show(checks []report.Check) string {
	var b bytes.Buffer
	_ = report.Write(&b, report.Table, report.Report{Name: "endpoints", Checks: checks})
	return b.String()
}

func TestRightAnswersPass(t *testing.T) {
	lab := labtest.Start(t)
	before := lab.Users()
	checks := endpoints.Run(t.Context(), target(lab))
	if bad := failed(checks); len(bad) > 0 {
		t.Errorf("failed:\n%s", show(bad))
	}
	names := make(map[string]bool)
	for _, c := range checks {
		if c.Status != report.Pass {
			t.Errorf("%s: %s %s", c.Name, c.Status, c.Detail)
		}
		if c.Group != endpoints.Group || c.Measured == "" || c.Duration <= 0 || names[c.Name] {
			t.Errorf("check without a group, a measured value, a duration or a name of its own: %+v", c)
		}
		names[c.Name] = true
	}
	if want := len(endpoints.BackendCases()) + len(endpoints.FrontendCases()); len(checks) != want {
		t.Errorf("%d checks, want %d", len(checks), want)
	}
	if diff := cmp.Diff(before, lab.Users()); diff != "" {
		t.Errorf("users (-before +after):\n%s", diff)
	}
}

// TestWrongAnswersFail breaks one thing at a time in the answers, and wants the
// very check that is about it to fail, and to say so.
func TestWrongAnswersFail(t *testing.T) {
	is := func(r *http.Request, method, path string) bool {
		return r.Method == method && regexp.MustCompile("^(/api)?"+path+"$").MatchString(r.URL.Path)
	}
	replace := func(a *labtest.Answer, old, with string) {
		a.Body = bytes.ReplaceAll(a.Body, []byte(old), []byte(with))
	}
	tests := []struct {
		name   string
		tamper func(r *http.Request, a *labtest.Answer)
		check  string // the check that must fail, of the frontend
		detail string // what it must say
	}{
		{"wrong status", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/health") {
				a.Status = 204
			}
		}, "health", "status 204, want 200"},
		{"wrong content type", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/stats") {
				a.Header.Set("Content-Type", "text/plain")
			}
		}, "statistics", `content type "text/plain", want "application/json"`},
		{"not JSON", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/ready") {
				a.Body = []byte("ready")
			}
		}, "ready", "the body is not JSON"},
		{"two documents", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/ready") {
				a.Body = append(a.Body, `{}`...)
			}
		}, "ready", "more after the JSON"},
		{"missing Allow", func(r *http.Request, a *labtest.Answer) { a.Header.Del("Allow") }, "list takes no PUT", `header Allow is "", want GET in it`},
		{"Allow without a method", func(r *http.Request, a *labtest.Answer) {
			if a.Header.Get("Allow") != "" {
				a.Header.Set("Allow", "GET")
			}
		}, "list takes no PUT", "want POST in it"},
		{"missing member", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/stats") {
				replace(a, "go_version", "gone")
			}
		}, "statistics", "member go_version is <nil>, want a string"},
		{"member of the wrong kind", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/stats") {
				replace(a, "4096", `"4096"`)
			}
		}, "statistics", "member database_size_bytes is 4096, want a number"},
		{"a user without created_at", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/users") {
				replace(a, "created_at", "made_at")
			}
		}, "list users", "user 1 of the list: member created_at"},
		{"no Location", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "POST" && a.Status == 201 {
				a.Header.Del("Location")
			}
		}, "create", "header Location is there 0 times"},
		{"Location of another", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "POST" && a.Status == 201 {
				a.Header.Set("Location", "/users/1")
			}
		}, "create", `header Location is "/users/1"`},
		{"another name stored", func(r *http.Request, a *labtest.Answer) { replace(a, "Ada Lovelace", "Charles Babbage") },
			"get the new user", `member name is "Charles Babbage"`},
		{"problem without a title", func(r *http.Request, a *labtest.Answer) { replace(a, `"title"`, `"headline"`) },
			"get with id 0", "the problem has no title"},
		{"problem with another status", func(r *http.Request, a *labtest.Answer) { replace(a, `"status":404`, `"status":400`) },
			"get a user who is not there", "the problem's status is"},
		{"problem of another request", func(r *http.Request, a *labtest.Answer) { replace(a, `"request_id":"e`, `"request_id":"x`) },
			"get with id 0", "the problem's request_id is"},
		{"problem of another trace", func(r *http.Request, a *labtest.Answer) { replace(a, `"trace_id":"`, `"trace_id":"0`) },
			"get with id 0", "the problem's trace_id is"},
		{"problem without its fields", func(r *http.Request, a *labtest.Answer) { replace(a, `"field":"email"`, `"field":"mail"`) },
			"create with an e-mail without an @", `name the fields ["mail"], want ["email"]`},
		{"problem that blames too much", func(r *http.Request, a *labtest.Answer) {
			replace(a, `"errors":[`, `"errors":[{"field":"extra","detail":"x"},`)
		}, "create with a NUL in the name", `name the fields ["extra" "name"]`},
		{"request id not echoed", func(r *http.Request, a *labtest.Answer) { a.Header.Set("X-Request-Id", "other") }, "list users", "header X-Request-Id is"},
		{"malformed request id echoed", func(r *http.Request, a *labtest.Answer) {
			if id := r.Header.Get("X-Request-Id"); id != "" {
				a.Header.Set("X-Request-Id", id)
			}
		}, "a request with a malformed id gets another", "X-Request-Id"},
		{"no trace id", func(r *http.Request, a *labtest.Answer) { a.Header.Del("X-Trace-Id") }, "list users", "header X-Trace-Id is"},
		{"no fresh trace id", func(r *http.Request, a *labtest.Answer) {
			if r.Header.Get("Traceparent") == "" {
				a.Header.Set("X-Trace-Id", "-")
			}
		}, "a request without a trace gets one", "want 32 hex digits"},
		{"204 with a body", func(r *http.Request, a *labtest.Answer) {
			if a.Status == 204 {
				a.Status, a.Body = 204, nil
				a.Header.Set("Content-Type", "application/json")
			}
		}, "delete", "content type \"application/json\", want neither"},
		{"deletion that does nothing", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "GET" && a.Status == 404 && strings.Contains(r.URL.Path, "/users/") {
				a.Status = 200
			}
		}, "get the deleted user", "status 200, want 404"},
		{"a page is lost", func(r *http.Request, a *labtest.Answer) {
			if r.URL.Query().Get("cursor") == "after2" {
				a.Body = []byte(`{"users":[]}`)
			}
		}, "pages hold every user once", "is on no page"},
		{"a user comes twice", func(r *http.Request, a *labtest.Answer) {
			if r.URL.Query().Get("cursor") == "after2" {
				replace(a, `"id":3`, `"id":2`)
			}
		}, "pages hold every user once", "user 2 comes after user 2"},
		{"pages without an end", func(r *http.Request, a *labtest.Answer) {
			if r.URL.Query().Has("cursor") && a.Status == 200 {
				replace(a, `]}`, `],"next_cursor":""}`)
			}
		}, "pages hold every user once", "next_cursor is empty"},
		{"page without a policy", func(r *http.Request, a *labtest.Answer) { a.Header.Del("Content-Security-Policy") }, "the page", "header Content-Security-Policy is there 0 times"},
		{"page without a form", func(r *http.Request, a *labtest.Answer) { replace(a, "<form", "<div") }, "the page", `does not hold "<form"`},
		{"page refers to nothing", func(r *http.Request, a *labtest.Answer) {
			if r.URL.Path == "/" {
				a.Body = append(a.Body, `<script src="/gone.js?a=1&amp;b=2">`...)
			}
		}, "what the page loads is there", "GET /gone.js?a=1&b=2"},
		{"form that answers in place", func(r *http.Request, a *labtest.Answer) {
			if strings.HasPrefix(r.URL.Path, "/ui/") && a.Status == 303 {
				a.Status = 200
			}
		}, "the form for a slow query", "status 200, want 303"},
		{"form that leads elsewhere", func(r *http.Request, a *labtest.Answer) {
			if r.URL.Path == "/ui/users" && a.Status == 303 {
				a.Header.Set("Location", "//evil.example/")
			}
		}, "the form adds a user and the form deletes it", "want 303 to the page"},
		{"another site's form is taken", func(r *http.Request, a *labtest.Answer) {
			if a.Status == 403 {
				a.Status = 303
			}
		}, "another site's form is refused", "status 303, want 403"},
		{"hangs up", func(r *http.Request, a *labtest.Answer) {
			if is(r, "GET", "/stats") {
				a.Status = 0
			}
		}, "statistics", "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lab := labtest.Start(t)
			before := lab.Users()
			lab.Tamper = func(_ string, r *http.Request, a *labtest.Answer) { tt.tamper(r, a) }
			checks := endpoints.Run(t.Context(), endpoints.Target{Frontend: lab.Frontend})
			bad := failed(checks)
			i := slices.IndexFunc(bad, func(c report.Check) bool { return c.Name == "frontend: "+tt.check })
			if i < 0 {
				t.Fatalf("the check %q did not fail; these did:\n%s", tt.check, show(bad))
			}
			if !strings.Contains(bad[i].Detail, tt.detail) {
				t.Errorf("the detail does not hold %q:\n%s", tt.detail, show(bad[i:i+1]))
			}
			if diff := cmp.Diff(before, lab.Users()); diff != "" {
				t.Errorf("users (-before +after):\n%s", diff)
			}
		})
	}
}

func TestFaultsOffIsSkipped(t *testing.T) {
	lab := labtest.Start(t)
	lab.NoFaults = true
	skipped := 0
	for _, c := range endpoints.Run(t.Context(), target(lab)) {
		if c.Status == report.Skip && strings.Contains(c.Detail, "LAB_FAULTS=true") {
			skipped++
		} else if c.Status != report.Pass {
			t.Errorf("%s: %s %s", c.Name, c.Status, c.Detail)
		}
	}
	if skipped != 2 {
		t.Errorf("%d checks skipped for want of faults, want one for each service", skipped)
	}
}

func TestWithoutTraces(t *testing.T) {
	lab := labtest.Start(t)
	lab.Tamper = func(_ string, _ *http.Request, a *labtest.Answer) {
		if id := a.Header.Get("X-Trace-Id"); id != "" {
			a.Body = bytes.ReplaceAll(a.Body, []byte(`,"trace_id":"`+id+`"`), nil)
			a.Header.Del("X-Trace-Id")
		}
	}
	with := target(lab)
	if len(failed(endpoints.Run(t.Context(), with))) == 0 {
		t.Error("no check failed though no answer names its trace")
	}
	with.WithoutTraces = true
	if bad := failed(endpoints.Run(t.Context(), with)); len(bad) > 0 {
		t.Errorf("failed:\n%s", show(bad))
	}
}

func TestDependentChecksAreSkipped(t *testing.T) {
	lab := labtest.Start(t)
	lab.Tamper = func(_ string, r *http.Request, a *labtest.Answer) {
		if r.Method == "POST" && a.Status == 201 {
			a.Status, a.Body = 500, nil
		}
	}
	status := make(map[string]report.Status)
	for _, c := range endpoints.Run(t.Context(), endpoints.Target{Backend: lab.Backend}) {
		status[c.Name] = c.Status
	}
	if status["backend: create"] != report.Fail || status["backend: get the new user"] != report.Skip || status["backend: delete"] != report.Skip {
		t.Errorf("create %s, get %s, delete %s; want fail, skip, skip",
			status["backend: create"], status["backend: get the new user"], status["backend: delete"])
	}
}

func TestUsersThatCannotBeDeletedAreToldOf(t *testing.T) {
	lab := labtest.Start(t)
	lab.Tamper = func(_ string, r *http.Request, a *labtest.Answer) {
		if r.Method == "DELETE" {
			a.Status = 503
		}
	}
	checks := endpoints.Run(t.Context(), endpoints.Target{Backend: lab.Backend})
	last := checks[len(checks)-1]
	if !last.Failed() || last.Measured != "1 users left behind" || !strings.Contains(last.Detail, "answered 503") {
		t.Errorf("last check %+v, want it to tell of the user left behind", last)
	}
}

func TestStop(t *testing.T) {
	lab := labtest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	lab.Tamper = func(_ string, r *http.Request, a *labtest.Answer) {
		if r.Method == "POST" && a.Status == 201 {
			cancel()
		}
	}
	started := time.Now()
	checks := endpoints.Run(ctx, target(lab))
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if len(failed(checks)) > 1 || !slices.ContainsFunc(checks, func(c report.Check) bool { return c.Status == report.Skip }) {
		t.Errorf("want the rest skipped, not failed:\n%s", show(checks))
	}
}
