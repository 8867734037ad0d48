package main

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// view is the data of the page's template.
type view struct {
	Faults        bool
	SlowFault     string // the value of the baggage entry that the slow button sends
	SlowMS        int64
	SlowFor       string
	PageSize      int
	MaxName       int
	MaxEmail      int
	TraceTemplate string

	Stats     statsView
	Last      panelView
	Form      formView
	Users     []rowView
	BlankRow  rowView // the script's template for rows
	ListError string
	Empty     bool
	Cursor    string
	Next      string // the address of the next page
	Self      string // the address of this page
}

// statsView is the statistics. Known is false if the backend did not send them.
type statsView struct {
	Known                                 bool
	Users, Created, Size, Uptime, Version string
}

// panelView is the panel about the last request.
type panelView struct {
	Message, Kind               string
	Method, Path, Status        string
	StatusClass                 string
	Duration, TraceID, TraceURL string
	TraceUnsampled              bool // the id finds log lines, but no trace
}

// formView is the form that adds a user, with its input and its error messages.
type formView struct {
	Name, Email           string
	NameError, EmailError string
}

// rowView is a row of the table of users.
type rowView struct {
	ID          int64
	Name, Email string
	CreatedAt   string // RFC 3339
	Created     string // for people
	Cursor      string // of this page of the list
	Fresh       bool   // just added
}

func newStatsView(s statistics) statsView {
	return statsView{
		Known:   true,
		Users:   formatCount(s.Users),
		Created: formatCount(s.CreatedLast24h),
		Size:    formatSize(s.DatabaseSize),
		Uptime:  formatUptime(time.Duration(s.UptimeSeconds * float64(time.Second))),
		Version: s.Version,
	}
}

func newRowView(u users.User, cursor string) rowView {
	return rowView{
		ID: u.ID, Name: u.Name, Email: u.Email, Cursor: cursor,
		CreatedAt: u.CreatedAt.UTC().Format(time.RFC3339),
		Created:   formatTime(u.CreatedAt),
	}
}

// newPanelView returns the panel about one request. traceTemplate is LAB_TRACE_URL.
func newPanelView(method, path string, status int, took time.Duration, trace traceRef, traceTemplate, message string) panelView {
	l := panelView{
		Message: message, Kind: "good", Method: method, Path: path,
		Status: strconv.Itoa(status), StatusClass: "good",
		Duration: formatDuration(took), TraceID: trace.id, TraceUnsampled: trace.unsampled,
	}
	switch {
	case status >= 500:
		l.Kind, l.StatusClass = "bad", "bad"
	case status >= 400:
		l.Kind, l.StatusClass = "bad", "warn"
	}
	if trace.id != "" && !trace.unsampled && traceTemplate != "" {
		l.TraceURL = strings.ReplaceAll(traceTemplate, tracePlaceholder, trace.id)
	}
	return l
}

// pageAddress returns the address of the page at cursor, with the given query. The
// address is always on this site, whatever the cursor contains.
func pageAddress(cursor string, query url.Values) string {
	q := url.Values{}
	maps.Copy(q, query)
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}
