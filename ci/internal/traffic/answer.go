package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Answer is one request of a run and what became of it.
type Answer struct {
	// N is the request's number, from 1. It follows from N which user a creation creates
	// ([Email], [Name]).
	N       int    `json:"n"`
	TraceID string `json:"trace_id"`
	Kind    Kind   `json:"kind_of_request"`
	// Status is the answer's; 0 when no answer came.
	Status int `json:"status"`
	// Rejected says that the frontend has turned the request away before it did anything
	// for it: a 503 without a trace id. Such a request is counted, and has no trace and no
	// access-log line.
	Rejected bool `json:"rejected,omitempty"`
	// Sent is when the request was sent, Ended when its answer was complete or it had
	// failed.
	Sent  time.Time `json:"sent"`
	Ended time.Time `json:"ended"`
	// UserID is the user that the request has created, or was to read or delete; 0 where
	// there is none, or the answer did not say.
	UserID int64 `json:"user_id,omitempty"`
	// Wrong says what is wrong with an answer besides its status; Error says why no
	// answer came.
	Wrong string `json:"wrong,omitempty"`
	Error string `json:"error,omitempty"`
}

// OK tells whether the answer is the one that the kind of request must get.
func (a Answer) OK() bool { return a.Status == want(a.Kind) && a.Wrong == "" }

// FromBackend tells whether the backend has answered: the statuses 502, 503 and 504 may
// be the frontend's own.
func (a Answer) FromBackend() bool { return a.Status != 0 && reachesBackend(a.Status) }

// Email is the address of the user that request n of the run creates; no other user has
// it.
func Email(prefix string, n int) string { return email(prefix, n) }

// Name is the name of the user that request n of a run creates.
func Name(n int) string { return name(n) }

// User is a user as the frontend lists it.
type User struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Users lists the users that the run with this prefix has created and that exist.
func Users(ctx context.Context, client *http.Client, frontend, prefix string) ([]User, error) {
	found, _, err := listUsers(ctx, client, frontend, prefix)
	return found, err
}

// Sweep deletes the users that the run with this prefix has created and that exist.
func Sweep(ctx context.Context, client *http.Client, frontend, prefix string) error {
	found, err := Users(ctx, client, frontend, prefix)
	errs := []error{err}
	for _, u := range found {
		status, body, err := ask(ctx, client, http.MethodDelete, frontend+"/api/users/"+strconv.FormatInt(u.ID, 10), "")
		if err == nil && status != http.StatusNoContent && status != http.StatusNotFound {
			err = fmt.Errorf("deleting user %d answered %d: %s", u.ID, status, clip(body))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// listUsers looks through all users for those of a run, and returns the number of
// requests that it has sent.
func listUsers(ctx context.Context, client *http.Client, frontend, prefix string) (found []User, requests int, err error) {
	query := "?limit=200"
	for {
		requests++
		status, body, err := ask(ctx, client, http.MethodGet, frontend+"/api/users"+query, "")
		if err != nil {
			return found, requests, fmt.Errorf("looking for the run's users: %w", err)
		}
		var page struct {
			Users      []User `json:"users"`
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal(body, &page); status != http.StatusOK || err != nil {
			return found, requests, fmt.Errorf("looking for the run's users: GET /api/users answered %d: %s", status, clip(body))
		}
		for _, u := range page.Users {
			if strings.HasPrefix(u.Email, emailPrefix(prefix)) {
				found = append(found, u)
			}
		}
		if page.NextCursor == "" {
			return found, requests, nil
		}
		query = "?limit=200&cursor=" + url.QueryEscape(page.NextCursor)
	}
}
