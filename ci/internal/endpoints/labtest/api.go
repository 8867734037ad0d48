package labtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// api answers /users, /users/{id} and /stats.
func (l *Lab) api(prefix, path string, r *http.Request, a *Answer) {
	if fault := r.Header.Get("Baggage"); !l.NoFaults && fault == "lab.fault=error" {
		a.problem(r, http.StatusInternalServerError, "")
		return
	} else if d, ok := strings.CutPrefix(fault, "lab.fault=delay:"); ok && !l.NoFaults {
		delay, _ := time.ParseDuration(d)
		time.Sleep(delay)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case path == "/stats":
		a.json(http.StatusOK, map[string]any{
			"users": len(l.users), "created_last_24h": len(l.users), "database_size_bytes": 4096, "uptime_seconds": 1.5,
			"started_at": time.Now().UTC().Format(time.RFC3339), "version": "test", "go_version": "go1.26",
		})
	case path == "/users" && r.Method == http.MethodPost:
		l.create(prefix, r, a)
	case path == "/users":
		l.list(r, a)
	default:
		id, err := strconv.ParseInt(strings.TrimPrefix(path, "/users/"), 10, 64)
		u, exists := l.users[id]
		switch {
		case err != nil || id < 1:
			a.problem(r, http.StatusBadRequest, "bad id")
		case !exists:
			a.problem(r, http.StatusNotFound, "no such user")
		case r.Method == http.MethodDelete:
			delete(l.users, id)
			a.Status = http.StatusNoContent
		default:
			a.json(http.StatusOK, u)
		}
	}
}

func (l *Lab) list(r *http.Request, a *Answer) {
	limit, after := 50, int64(0)
	q := r.URL.Query()
	if q.Has("limit") {
		n, err := strconv.Atoi(q.Get("limit"))
		if err != nil || n < 1 || n > 200 {
			a.problem(r, http.StatusBadRequest, "bad limit")
			return
		}
		limit = n
	}
	if q.Get("cursor") != "" {
		if n, err := fmt.Sscanf(q.Get("cursor"), "after%d", &after); n != 1 || err != nil {
			a.problem(r, http.StatusBadRequest, "bad cursor")
			return
		}
	}
	page := struct {
		Users []user `json:"users"`
		Next  string `json:"next_cursor,omitempty"`
	}{Users: []user{}}
	for _, id := range slices.Sorted(maps.Keys(l.users)) {
		if id <= after {
			continue
		}
		if len(page.Users) == limit {
			page.Next = fmt.Sprintf("after%d", page.Users[limit-1].ID)
			break
		}
		page.Users = append(page.Users, l.users[id])
	}
	a.json(http.StatusOK, page)
}

func (l *Lab) create(prefix string, r *http.Request, a *Answer) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		a.problem(r, http.StatusUnsupportedMediaType, "")
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10+1))
	if len(body) > 64<<10 {
		_, _ = io.Copy(io.Discard, r.Body) // net/http would keep the connection for half a second otherwise
		a.problem(r, http.StatusRequestEntityTooLarge, "")
		return
	}
	var in struct{ Name, Email string }
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if dec.Decode(&in) != nil || dec.More() || !utf8.Valid(body) {
		a.problem(r, http.StatusBadRequest, "bad JSON")
		return
	}
	var fields []string
	if in.Name = strings.TrimSpace(in.Name); in.Name == "" || len([]rune(in.Name)) > 100 || strings.ContainsRune(in.Name, 0) {
		fields = append(fields, "name")
	}
	if in.Email = strings.TrimSpace(in.Email); strings.Count(in.Email, "@") != 1 || len(in.Email) > 254 {
		fields = append(fields, "email")
	}
	if len(fields) > 0 {
		a.problem(r, http.StatusUnprocessableEntity, "", fields...)
		return
	}
	for _, u := range l.users {
		if strings.EqualFold(u.Email, in.Email) {
			a.problem(r, http.StatusConflict, "taken")
			return
		}
	}
	u := l.add(in.Name, in.Email)
	a.Header.Set("Location", fmt.Sprintf("%s/users/%d", prefix, u.ID))
	a.json(http.StatusCreated, u)
}
