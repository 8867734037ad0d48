package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// retryWhenFull is when a client may try again after the disk was full: somebody has to make
// room first.
const retryWhenFull = 10 * time.Second

// classify maps an error of the domain to the answer for the client. It returns nil for
// other errors.
func classify(err error) *httpx.Error {
	if invalid, ok := errors.AsType[*users.ValidationError](err); ok {
		e := httpx.Errorf(http.StatusUnprocessableEntity, "The user is not valid.")
		for _, f := range invalid.Fields {
			e.Fields = append(e.Fields, httpx.FieldError{Field: f.Name, Detail: f.Detail})
		}
		return e
	}
	switch {
	case errors.Is(err, users.ErrNotFound):
		return httpx.Errorf(http.StatusNotFound, "There is no user with this id.")
	case errors.Is(err, users.ErrEmailTaken):
		return httpx.Errorf(http.StatusConflict, "Another user has this e-mail address.")
	case errors.Is(err, users.ErrBadID):
		return httpx.Errorf(http.StatusBadRequest, "The id must be a whole number from 1.")
	case errors.Is(err, users.ErrBadCursor):
		return httpx.Errorf(http.StatusBadRequest, "The cursor must be the next_cursor of a page.")
	case errors.Is(err, users.ErrBusy):
		e := httpx.Errorf(http.StatusServiceUnavailable, "The database is busy.")
		e.RetryAfter = time.Second
		return e
	case errors.Is(err, users.ErrFull):
		e := httpx.Errorf(http.StatusServiceUnavailable, "The database has no room.")
		e.RetryAfter = retryWhenFull
		return e
	case errors.Is(err, users.ErrUnavailable):
		e := httpx.Errorf(http.StatusServiceUnavailable, "The database cannot be reached.")
		e.RetryAfter = time.Second
		return e
	}
	return nil
}
