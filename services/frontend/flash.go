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

// The actions that a form can have taken.
const (
	didAdd    = "add"
	didDelete = "delete"
	didSlow   = "slow"
	didError  = "error"
	didOff    = "off" // a fault was asked for while faults are off
)

// happened is what a form did, as its redirect tells the page. It travels in the
// address, where anybody can write anything: [parseHappened] takes only what a
// redirect could have said, and every word on the page is ours.
type happened struct {
	did    string
	id     int64 // of the user, 0 if it was about none
	status int
	took   time.Duration
	trace  traceRef
}

var traceID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// maxTook is the longest duration that the page believes.
const maxTook = time.Hour

// query is h as the query of an address.
func (h happened) query() url.Values {
	q := url.Values{"did": {h.did}, "status": {strconv.Itoa(h.status)}}
	q.Set("ms", strconv.FormatFloat(float64(h.took)/float64(time.Millisecond), 'f', 1, 64))
	if h.id > 0 {
		q.Set("id", strconv.FormatInt(h.id, 10))
	}
	if h.trace.id != "" {
		q.Set("trace", h.trace.id)
	}
	if h.trace.unsampled {
		q.Set("sampled", "false")
	}
	return q
}

// parseHappened reads what query wrote. It reports false for a query without an
// action, or with anything in it that query could not have written.
func parseHappened(q url.Values) (happened, bool) {
	h := happened{did: q.Get("did"), trace: traceRef{id: q.Get("trace"), unsampled: q.Get("sampled") == "false"}}
	switch h.did {
	case didAdd, didDelete, didSlow, didError, didOff:
	default:
		return happened{}, false
	}
	if h.trace.id != "" && !traceID.MatchString(h.trace.id) {
		return happened{}, false
	}
	var err error
	if h.status, err = strconv.Atoi(q.Get("status")); err != nil || h.status < 200 || h.status > 599 {
		return happened{}, false
	}
	ms, err := strconv.ParseFloat(q.Get("ms"), 64)
	if err != nil || math.IsNaN(ms) || ms < 0 || ms > float64(maxTook/time.Millisecond) {
		return happened{}, false
	}
	h.took = time.Duration(ms * float64(time.Millisecond))
	if id := q.Get("id"); id != "" {
		if h.id, err = users.ParseID(id); err != nil {
			return happened{}, false
		}
	}
	return h, true
}

// path is where the form of the action posts to.
func (h happened) path() string {
	switch h.did {
	case didAdd:
		return "/ui/users"
	case didDelete:
		return fmt.Sprintf("/ui/users/%d/delete", h.id)
	case didError:
		return "/ui/error"
	}
	return "/ui/slow"
}

// message says in one sentence what happened. name is the user's, "" if unknown.
// The script has the same sentences; see page/page.js.
func (h happened) message(name string) string {
	if name == "" {
		name = "The user"
	}
	switch {
	case h.did == didOff:
		return "Nothing was caused: faults are switched off here."
	case h.did == didAdd && h.status < 300:
		return name + " was added."
	case h.did == didDelete && h.status < 300:
		return name + " was deleted."
	case h.did == didDelete && h.status == http.StatusNotFound:
		return "The user was gone already."
	case h.did == didSlow && h.status < 300 && h.took >= slowFault.Delay:
		return "The slow query answered. The trace shows where the time went."
	case h.did == didSlow && h.status < 300:
		return "The query was not slow: the backend has faults switched off."
	case h.did == didError && h.status < 300:
		return "The query did not fail: the backend has faults switched off."
	case h.did == didError && h.status == http.StatusInternalServerError:
		return "The query failed, as you asked. The trace shows where."
	}
	return failureMessage(h.status)
}

// failureMessage is the sentence for a status where nothing better is known.
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
