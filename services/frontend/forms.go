package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// The forms let the page work without its script. After an action a form redirects to
// the page with 303, so that a reload does not repeat the action.

// parseForm parses a form of at most [httpx.MaxBody] bytes.
func parseForm(w http.ResponseWriter, r *http.Request) error {
	if err := bufferBody(w, r); err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return &httpx.Error{Status: http.StatusBadRequest, Detail: "The form could not be read.", Err: err}
	}
	return nil
}

// redirectToPage sends the browser to the page, which shows f. The target consists of
// checked parts; it is never taken from the request.
func redirectToPage(w http.ResponseWriter, r *http.Request, f flash) error {
	f.trace = traceOf(r.Context())
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, pageAddress(cursorFrom(r.PostForm.Get("cursor")), f.query()), http.StatusSeeOther)
	return nil
}

// outcome returns the status of a call to the backend. It logs a failure, because the
// status of the redirect does not show it.
func (s *server) outcome(ctx context.Context, what string, success int, err error) int {
	if err == nil {
		return success
	}
	s.logBackend(ctx, what, err)
	return statusFor(err)
}

// formAdd handles POST /ui/users. If the input is invalid, it answers with the page,
// with the input in the form. It does not redirect, so that the input does not appear
// in an address.
func (s *server) formAdd(w http.ResponseWriter, r *http.Request) error {
	started := time.Now()
	if err := parseForm(w, r); err != nil {
		return err
	}
	form := formView{Name: r.PostForm.Get("name"), Email: r.PostForm.Get("email")}
	added, err := s.backend.create(r.Context(), form.Name, form.Email)
	if err == nil {
		return redirectToPage(w, r, flash{action: actionAdd, id: added.ID, status: http.StatusCreated, took: time.Since(started)})
	}
	s.logBackend(r.Context(), "create", err)
	problem, ok := errors.AsType[*httpx.Error](err)
	if !ok {
		return err
	}
	form.showErrors(problem)
	return s.render(w, r, pageRequest{started: started, form: form, problem: problem})
}

// showErrors puts the backend's messages about fields beside these fields.
func (f *formView) showErrors(problem *httpx.Error) {
	for _, e := range problem.Fields {
		switch e.Field {
		case "name":
			f.NameError = e.Detail
		case "email":
			f.EmailError = e.Detail
		}
	}
	if problem.Status == http.StatusConflict && f.EmailError == "" {
		f.EmailError = messageFor(problem)
	}
}

// formDelete handles POST /ui/users/{id}/delete.
func (s *server) formDelete(w http.ResponseWriter, r *http.Request) error {
	started := time.Now()
	id, err := users.ParseID(r.PathValue("id"))
	if err != nil {
		return httpx.Errorf(http.StatusBadRequest, "The id must be a whole number from 1.")
	}
	if err := parseForm(w, r); err != nil {
		return err
	}
	status := s.outcome(r.Context(), "delete", http.StatusNoContent, s.backend.remove(r.Context(), id))
	return redirectToPage(w, r, flash{action: actionDelete, id: id, status: status, took: time.Since(started)})
}

// formFault handles POST /ui/slow and POST /ui/error. It reads one user from the
// backend, with the fault in the baggage.
func (s *server) formFault(action string, f fault.Fault) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		started := time.Now()
		if err := parseForm(w, r); err != nil {
			return err
		}
		if !s.cfg.faults {
			return redirectToPage(w, r, flash{action: actionOff, status: http.StatusOK, took: time.Since(started)})
		}
		_, err := s.backend.list(fault.Baggage(r.Context(), f), "", 1)
		status := s.outcome(r.Context(), action, http.StatusOK, err)
		return redirectToPage(w, r, flash{action: action, status: status, took: time.Since(started)})
	}
}
