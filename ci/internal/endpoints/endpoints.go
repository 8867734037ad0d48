// Package endpoints asks every endpoint of both services, errors included, and
// says whether each answers as documented: status, content type, headers and the
// members of its JSON.
//
// The cases are data, see cases.go. They run in order, first against the
// backend, then against the frontend, on users that they create themselves; what
// they created is deleted at the end, also when a case failed.
package endpoints

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// Group is the group of all checks of this package.
const Group = "endpoints"

// requestTimeout bounds one request; the services give up before.
const requestTimeout = 20 * time.Second

// Target says where the services are.
type Target struct {
	// Frontend and Backend are base URLs, "http://localhost:8080". An empty one
	// leaves out the cases of that service.
	Frontend, Backend string
	// HTTP is used instead of a client of our own; its redirect policy is
	// replaced, for a redirect is an answer.
	HTTP *http.Client
	// TLS are the settings of a client of services that want a certificate, for a client of
	// our own; nil are the usual ones.
	TLS *tls.Config
	// WithoutTraces says that the services run with OTEL_SDK_DISABLED=true: then
	// no answer needs an X-Trace-Id.
	WithoutTraces bool
}

// Report asks every endpoint of both services, see [Run], and reports when and where.
func Report(ctx context.Context, t Target) report.Report {
	r := report.Report{Name: "test-endpoints", Started: time.Now(),
		Environment: map[string]string{"frontend": t.Frontend, "backend": t.Backend}}
	r.Add(Run(ctx, t)...)
	r.Duration = time.Since(r.Started)
	return r
}

// Run makes all checks and returns one result for each, in order. When ctx ends,
// the checks that are left are skipped; what was created is deleted all the same.
func Run(ctx context.Context, t Target) []report.Check {
	var out []report.Check
	for _, s := range []struct {
		service, base, api string
		cases              []Case
	}{
		{"backend", t.Backend, "", BackendCases()},
		{"frontend", t.Frontend, "/api", FrontendCases()},
	} {
		if s.base == "" {
			continue
		}
		run := newSession(t, s.service, s.base, s.api)
		for _, c := range s.cases {
			out = append(out, run.check(ctx, c))
		}
		if c, needed := run.cleanUp(context.WithoutCancel(ctx)); needed {
			out = append(out, c)
		}
		if t.HTTP == nil {
			run.client.CloseIdleConnections()
		}
	}
	return out
}

// errSkip marks the error of a case that could not be made.
var errSkip = errors.New("skipped")

// session is the run of one service's cases.
type session struct {
	client        *http.Client
	service, base string
	api           string // before /users and /stats
	withoutTraces bool
	run           string // 8 hex digits of this run's own
	requests      int
	vars          map[string]string // for {name} in paths, bodies and wanted headers
	created       map[string]bool   // ids of users to delete
}

func newSession(t Target, service, base, api string) *session {
	client := http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableCompression: true, TLSClientConfig: t.TLS}}
	if t.HTTP != nil {
		client = *t.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	run := strings.ToLower(rand.Text()[:8])
	traces := "on"
	if t.WithoutTraces {
		traces = "off"
	}
	return &session{
		client: &client, service: service, base: strings.TrimRight(base, "/"), api: api,
		withoutTraces: t.WithoutTraces, run: run, created: make(map[string]bool),
		vars: map[string]string{
			"api":     api,
			"traces":  traces,
			"email":   fmt.Sprintf("endpoints-%s-%s@example.com", run, service),
			"form":    fmt.Sprintf("endpoints-%s-%s-form@example.com", run, service),
			"EMAIL":   strings.ToUpper(fmt.Sprintf("endpoints-%s-%s@example.com", run, service)),
			"missing": "9007199254740991",
		},
	}
}

// check makes one case.
func (s *session) check(ctx context.Context, c Case) report.Check {
	started := time.Now()
	out := report.Check{Group: Group, Name: s.service + ": " + c.Name, Status: report.Pass, Expected: c.Want.String()}
	measured, err := s.try(ctx, c)
	out.Measured = measured
	switch {
	case errors.Is(err, errSkip):
		out.Status, out.Detail = report.Skip, strings.TrimSuffix(err.Error(), ": "+errSkip.Error())
	case err != nil:
		out.Status, out.Detail = report.Fail, err.Error()
	}
	out.Duration = time.Since(started)
	return out
}

// try makes the request of a case, or its steps, and compares the answer.
func (s *session) try(ctx context.Context, c Case) (measured string, err error) {
	if ctx.Err() != nil {
		return "", fmt.Errorf("stopped: %w", errSkip)
	}
	if c.Steps != nil {
		return c.Steps(ctx, s)
	}
	path, err := s.expand(c.Path)
	if err != nil {
		return "", err
	}
	body, err := s.expand(c.Body)
	if err != nil {
		return "", err
	}
	a, err := s.do(ctx, c.Method, path, body, c.Header)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", c.Method, path, err)
	}
	s.noteCreated(a)
	if c.Optional != "" && a.status != c.Want.Status && a.status == http.StatusOK {
		return a.String(), fmt.Errorf("%s: %w", c.Optional, errSkip)
	}
	// Later cases need these members, so they are kept even if the answer is wrong.
	for name, member := range c.Save {
		if value := text(a.member(member)); a.status == c.Want.Status && value != "" {
			s.vars[name] = value
		}
	}
	if err := s.compare(a, c); err != nil {
		return a.String(), fmt.Errorf("%s %s: %w\n%s", c.Method, path, err, a.dump())
	}
	return a.String(), nil
}

// expand puts the session's variables into {name}. If an earlier case has failed to set
// {id}, a case that needs it cannot be made.
func (s *session) expand(text string) (string, error) {
	for name, value := range s.vars {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	if strings.Contains(text, "{id}") {
		return "", fmt.Errorf("an earlier check that this one needs has failed: %w", errSkip)
	}
	return text, nil
}

// noteCreated remembers a user that an answer says was created, wanted or not.
func (s *session) noteCreated(a *answer) {
	if id := text(a.member("id")); a.status == http.StatusCreated && id != "" {
		s.created[id] = true
	}
}

// cleanUp deletes the users that are left of this run. A deletion that fails is a check
// of its own.
func (s *session) cleanUp(ctx context.Context) (c report.Check, needed bool) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	started := time.Now()
	left := 0
	var errs []error
	for id := range s.created {
		a, err := s.do(ctx, http.MethodDelete, s.api+"/users/"+id, "", nil)
		if err == nil && a.status != http.StatusNoContent && a.status != http.StatusNotFound {
			err = fmt.Errorf("answered %d", a.status)
		}
		if err != nil {
			left++
			errs = append(errs, fmt.Errorf("deleting user %s: %w", id, err))
		}
	}
	return report.Check{
		Group: Group, Name: s.service + ": the checks' own users are deleted", Status: report.Fail,
		Measured: fmt.Sprintf("%d users left behind", left), Expected: "none", Duration: time.Since(started),
		Detail: fmt.Sprint(errors.Join(errs...)),
	}, left > 0
}
