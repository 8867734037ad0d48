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

// The forms are the page's way to act where there is no script. A form that did
// something answers 303 to the page, so that a reload repeats nothing.

// parseForm reads a form of at most [httpx.MaxBody].
func parseForm(w http.ResponseWriter, r *http.Request) error {
	if err := bufferBody(w, r); err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return &httpx.Error{Status: http.StatusBadRequest, Detail: "The form could not be read.", Err: err}
	}
	return nil
}

// redirectToPage sends the browser to the page, which then tells what happened. The
// target is built here from checked parts, never taken from the request.
func redirectToPage(w http.ResponseWriter, r *http.Request, f flash) error {
	f.trace = traceOf(r.Context())
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, pageAddress(cursorFrom(r.PostForm.Get("cursor")), f.query()), http.StatusSeeOther)
	return nil
}

// outcome is the status that a call to the backend ended with. A failure is
// logged: the 303 that follows would hide it.
func (s *server) outcome(ctx context.Context, what string, success int, err error) int {
	if err == nil {
		return success
	}
	s.logBackend(ctx, what, err)
	return statusFor(err)
}

// formAdd is POST /ui/users. What is wrong with the input is shown at once, on
// the page, with the input still in the form; so it need not be in an address.
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

// showErrors puts what the backend said about a field beside the field.
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

// formDelete is POST /ui/users/{id}/delete.
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

// formFault is POST /ui/slow and POST /ui/error: a small read with the fault in
// its baggage.
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
