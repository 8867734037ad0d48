package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// pageSize is how many users one page shows.
const pageSize = 20

// slowFault is the fault of the slow button. It is long enough to notice, and much
// shorter than any timeout.
var slowFault = fault.Fault{Delay: 750 * time.Millisecond}

// cursorShape matches every text that may be a cursor. The backend decides whether it
// is one.
var cursorShape = regexp.MustCompile(`^[\w-]{1,128}$`)

// cursorFrom returns the text if it may be a cursor, and "" otherwise.
func cursorFrom(text string) string {
	if !cursorShape.MatchString(text) {
		return ""
	}
	return text
}

// showPage handles GET /. It answers with a complete page even if the backend does not
// answer; the status then tells of the failure.
func (s *server) showPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	what, ok := parseFlash(q)
	show := pageRequest{started: time.Now(), cursor: cursorFrom(q.Get("cursor"))}
	if ok {
		show.flash = &what
	}
	return s.render(w, r, show)
}

// pageRequest describes the page to render.
type pageRequest struct {
	started time.Time
	cursor  string
	flash   *flash // the outcome of a form; nil if there was none
	form    formView
	problem *httpx.Error // the reason to show a form again; nil if there is none
}

// pageData is the backend's data for the page.
type pageData struct {
	list     userList
	listErr  error
	stats    statistics
	statsErr error
	added    *users.User // the user just added, if it is not on this page
}

// load asks the backend for the page's data, with concurrent requests.
func (s *server) load(ctx context.Context, show pageRequest) pageData {
	if err := ctx.Err(); err != nil { // the form's own call has used up the time
		late := gatewayError(ctx, err)
		return pageData{listErr: late, statsErr: late}
	}
	var got pageData
	var wait sync.WaitGroup
	wait.Go(func() { got.list, got.listErr = s.backend.list(ctx, show.cursor, pageSize) })
	wait.Go(func() { got.stats, got.statsErr = s.backend.stats(ctx) })
	if h := show.flash; h != nil && h.action == actionAdd && h.id > 0 {
		wait.Go(func() {
			if u, err := s.backend.get(ctx, h.id); err == nil {
				got.added = &u
			}
		})
	}
	wait.Wait()
	for call, err := range map[string]error{"list": got.listErr, "stats": got.statsErr} {
		s.logBackend(ctx, call, err)
	}
	return got
}

// render loads the data and writes the page.
func (s *server) render(w http.ResponseWriter, r *http.Request, show pageRequest) error {
	got := s.load(r.Context(), show)
	if errors.Is(r.Context().Err(), context.Canceled) {
		return r.Context().Err() // the browser has disconnected
	}
	v := s.newView(got, show)
	failure := got.listErr
	if show.problem != nil {
		failure = show.problem
	}
	status := http.StatusOK
	if failure != nil {
		status = statusFor(failure)
	}
	v.Last = s.panelView(r, show, got, v, status)
	var page bytes.Buffer
	if err := s.template.Execute(&page, v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Set("Cache-Control", "no-store")
	if e, ok := errors.AsType[*httpx.Error](failure); ok {
		httpx.SetRetryAfter(h, e.RetryAfter)
	}
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // an error means that the browser has disconnected
	return nil
}

// newView returns the view without its panel.
func (s *server) newView(got pageData, show pageRequest) view {
	v := view{
		Faults: s.cfg.faults, SlowFault: slowFault.String(), SlowMS: slowFault.Delay.Milliseconds(), SlowFor: formatDuration(slowFault.Delay),
		PageSize: pageSize, MaxName: users.MaxName, MaxEmail: users.MaxEmail,
		TraceTemplate: s.cfg.traceURL, Form: show.form,
		Cursor: show.cursor, Self: pageAddress(show.cursor, nil),
	}
	if got.statsErr == nil {
		v.Stats = newStatsView(got.stats)
	}
	if got.listErr != nil {
		v.ListError = "The list of users is missing. " + messageFor(got.listErr)
		if statusFor(got.listErr) == http.StatusBadRequest {
			v.ListError = "There is no such page of the list."
		}
		return v
	}
	for _, u := range got.list.Users {
		v.Users = append(v.Users, newRowView(u, show.cursor))
	}
	v.markAdded(got.added)
	v.Empty = len(v.Users) == 0
	if got.list.NextCursor != "" {
		v.Next = pageAddress(got.list.NextCursor, nil)
	}
	return v
}

// markAdded highlights the user who was just added. The list is in the order of the
// ids, so a new user may be on another page. Such a user is inserted at the top.
func (v *view) markAdded(added *users.User) {
	if added == nil {
		return
	}
	at := slices.IndexFunc(v.Users, func(row rowView) bool { return row.ID == added.ID })
	if at < 0 {
		v.Users = slices.Insert(v.Users, 0, newRowView(*added, v.Cursor))
		at = 0
	}
	v.Users[at].Fresh = true
}

// panelView returns the panel: it shows the outcome of a form, or else this request.
func (s *server) panelView(r *http.Request, show pageRequest, got pageData, v view, status int) panelView {
	if h := show.flash; h != nil {
		name := ""
		if got.added != nil {
			name = got.added.Name
		}
		return newPanelView(http.MethodPost, h.path(), h.status, h.took, h.trace, s.cfg.traceURL, h.message(name))
	}
	message := "You loaded this page."
	switch {
	case show.problem != nil:
		message = messageFor(show.problem)
	case got.listErr != nil:
		message = v.ListError
	}
	return newPanelView(r.Method, r.URL.Path, status, time.Since(show.started), traceOf(r.Context()), s.cfg.traceURL, message)
}

// traceRef identifies a trace. If the trace is not sampled, only log lines have its id.
type traceRef struct {
	id        string // "" if there is none
	unsampled bool
}

// traceOf returns the trace that ctx belongs to.
func traceOf(ctx context.Context) traceRef {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.HasTraceID() {
		return traceRef{}
	}
	return traceRef{id: sc.TraceID().String(), unsampled: !sc.IsSampled()}
}

// statusFor returns the status of the answer to err.
func statusFor(err error) int {
	if e, ok := errors.AsType[*httpx.Error](err); ok {
		return e.Status
	}
	return http.StatusInternalServerError
}

// messageFor returns a sentence about err for people.
func messageFor(err error) string {
	if e, ok := errors.AsType[*httpx.Error](err); ok && e.Detail != "" {
		return e.Detail
	}
	return failureMessage(statusFor(err))
}
