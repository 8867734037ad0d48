package main

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// The actions of the page's forms.
const (
	actionAdd    = "add"
	actionDelete = "delete"
	actionSlow   = "slow"
	actionError  = "error"
	actionOff    = "off" // a fault was requested while faults are switched off
)

// flash is the outcome of a form, which the page shows after the redirect. It travels
// in the address, which anybody can edit. So [parseFlash] accepts only what a redirect
// can contain, and the page shows no text from the address.
type flash struct {
	action string
	id     int64 // of the user, 0 if there is none
	status int
	took   time.Duration
	trace  traceRef
}

var traceID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// maxDuration is the longest duration that parseFlash accepts.
const maxDuration = time.Hour

// query encodes f as the query of an address.
func (f flash) query() url.Values {
	q := url.Values{"did": {f.action}, "status": {strconv.Itoa(f.status)}}
	q.Set("ms", strconv.FormatFloat(float64(f.took)/float64(time.Millisecond), 'f', 1, 64))
	if f.id > 0 {
		q.Set("id", strconv.FormatInt(f.id, 10))
	}
	if f.trace.id != "" {
		q.Set("trace", f.trace.id)
	}
	if f.trace.unsampled {
		q.Set("sampled", "false")
	}
	return q
}

// parseFlash decodes the result of query. It reports false for a query without an
// action, and for one that query cannot have written.
func parseFlash(q url.Values) (flash, bool) {
	f := flash{action: q.Get("did"), trace: traceRef{id: q.Get("trace"), unsampled: q.Get("sampled") == "false"}}
	switch f.action {
	case actionAdd, actionDelete, actionSlow, actionError, actionOff:
	default:
		return flash{}, false
	}
	if f.trace.id != "" && !traceID.MatchString(f.trace.id) {
		return flash{}, false
	}
	var err error
	if f.status, err = strconv.Atoi(q.Get("status")); err != nil || f.status < 200 || f.status > 599 {
		return flash{}, false
	}
	ms, err := strconv.ParseFloat(q.Get("ms"), 64)
	if err != nil || math.IsNaN(ms) || ms < 0 || ms > float64(maxDuration/time.Millisecond) {
		return flash{}, false
	}
	f.took = time.Duration(ms * float64(time.Millisecond))
	if id := q.Get("id"); id != "" {
		if f.id, err = users.ParseID(id); err != nil {
			return flash{}, false
		}
	}
	return f, true
}

// path returns the path that the action's form posts to.
func (f flash) path() string {
	switch f.action {
	case actionAdd:
		return "/ui/users"
	case actionDelete:
		return fmt.Sprintf("/ui/users/%d/delete", f.id)
	case actionError:
		return "/ui/error"
	}
	return "/ui/slow"
}

// message describes the outcome in one sentence. name is the user's name, "" if it is
// not known. The script has the same sentences; see page/page.js.
func (f flash) message(name string) string {
	if name == "" {
		name = "The user"
	}
	switch {
	case f.action == actionOff:
		return "Nothing was caused: faults are switched off here."
	case f.action == actionAdd && f.status < 300:
		return name + " was added."
	case f.action == actionDelete && f.status < 300:
		return name + " was deleted."
	case f.action == actionDelete && f.status == http.StatusNotFound:
		return "The user was gone already."
	case f.action == actionSlow && f.status < 300 && f.took >= slowFault.Delay:
		return "The slow query answered. The trace shows where the time went."
	case f.action == actionSlow && f.status < 300:
		return "The query was not slow: the backend has faults switched off."
	case f.action == actionError && f.status < 300:
		return "The query did not fail: the backend has faults switched off."
	case f.action == actionError && f.status == http.StatusInternalServerError:
		return "The query failed, as you asked. The trace shows where."
	}
	return failureMessage(f.status)
}

// failureMessage is a sentence about a status, for when nothing more exact is known.
func failureMessage(status int) string {
	switch status {
	case http.StatusBadGateway:
		return "The backend cannot be reached."
	case http.StatusServiceUnavailable:
		return "The backend is busy. Try again in a moment."
	case http.StatusGatewayTimeout:
		return "The backend took too long to answer."
	}
	return fmt.Sprintf("The request failed with status %d.", status)
}
