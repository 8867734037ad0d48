package main

import (
	"context"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// store stores the users. It returns errors of package users, or unexpected ones.
type store interface {
	List(ctx context.Context, limit int, after users.Cursor) (users.Page, error)
	Get(ctx context.Context, id int64) (users.User, error)
	Create(ctx context.Context, n users.New) (users.User, error)
	Delete(ctx context.Context, id int64) error
	Stats(ctx context.Context) (users.Stats, error)
	Count() int64
}

var _ store = (*sqlite.Store)(nil)

// defaultLimit is the size of a page if the request has no limit.
const defaultLimit = 50

// api handles the requests of the users API.
type api struct {
	store   store
	metrics *metrics
	events  *telemetry.Telemetry
	version string
	started time.Time
	now     func() time.Time
}

// page is the answer to GET /users.
type page struct {
	Users      []users.User `json:"users"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

func (a *api) listUsers(w http.ResponseWriter, r *http.Request) error {
	limit, cursor, err := parseListQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	found, err := a.store.List(r.Context(), limit, cursor)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, page{Users: found.Users, NextCursor: found.Next.String()})
}

// parseListQuery reads limit (1 to 200, default 50) and cursor (opaque; without it the
// list begins at its start). It ignores unknown parameters.
func parseListQuery(raw string) (limit int, cursor users.Cursor, err error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return 0, cursor, httpx.Errorf(http.StatusBadRequest, "The query string cannot be parsed.")
	}
	limit = defaultLimit
	if text := query.Get("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > users.MaxLimit {
			return 0, cursor, httpx.Errorf(http.StatusBadRequest, "The limit must be a number from 1 to %d.", users.MaxLimit)
		}
	}
	cursor, err = users.ParseCursor(query.Get("cursor"))
	return limit, cursor, err
}

func (a *api) getUser(w http.ResponseWriter, r *http.Request) error {
	id, err := users.ParseID(r.PathValue("id"))
	if err != nil {
		return err
	}
	user, err := a.store.Get(r.Context(), id)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, user)
}

func (a *api) createUser(w http.ResponseWriter, r *http.Request) error {
	user, err := a.create(w, r)
	a.audit(r, eventUserCreate, user.ID, err)
	if err != nil {
		return err
	}
	a.metrics.created.Add(r.Context(), 1)
	w.Header().Set("Location", "/users/"+strconv.FormatInt(user.ID, 10))
	return httpx.WriteJSON(w, http.StatusCreated, user)
}

// create reads the request and creates its user.
func (a *api) create(w http.ResponseWriter, r *http.Request) (users.User, error) {
	var wanted users.New
	if err := httpx.DecodeJSON(w, r, &wanted); err != nil {
		return users.User{}, err
	}
	wanted, err := wanted.Normalize()
	if err != nil {
		return users.User{}, err
	}
	return a.store.Create(r.Context(), wanted)
}

func (a *api) deleteUser(w http.ResponseWriter, r *http.Request) error {
	id, err := users.ParseID(r.PathValue("id"))
	if err == nil {
		err = a.store.Delete(r.Context(), id)
	}
	a.audit(r, eventUserDelete, id, err)
	if err != nil {
		return err
	}
	a.metrics.deleted.Add(r.Context(), 1)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// stats is the answer to GET /stats.
type stats struct {
	Users             int64     `json:"users"`
	CreatedLast24h    int64     `json:"created_last_24h"`
	DatabaseSizeBytes int64     `json:"database_size_bytes"`
	UptimeSeconds     float64   `json:"uptime_seconds"`
	StartedAt         time.Time `json:"started_at"`
	Version           string    `json:"version"`
	GoVersion         string    `json:"go_version"`
}

func (a *api) stats(w http.ResponseWriter, r *http.Request) error {
	sum, err := a.store.Stats(r.Context())
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, stats{
		Users:             sum.Users,
		CreatedLast24h:    sum.CreatedLast24h,
		DatabaseSizeBytes: sum.DatabaseSize,
		UptimeSeconds:     float64(a.now().Sub(a.started).Milliseconds()) / 1000,
		StartedAt:         a.started.UTC().Truncate(time.Second),
		Version:           a.version,
		GoVersion:         runtime.Version(),
	})
}
