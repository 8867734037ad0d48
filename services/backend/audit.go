package main

import (
	"errors"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
)

// The names of the events in the audit log.
const (
	eventUserCreate = "lab.user.create"
	eventUserDelete = "lab.user.delete"
)

// The attributes of the audit log that have no name in the semantic conventions. auditKey
// is the label that gives the events a stream of their own in Loki, with a retention of its
// own (config/loki/loki.yaml). Alloy lets no other value of it pass.
const (
	auditKey    = "lab.audit"
	auditUsers  = "users"
	auditResult = "lab.audit.result"
)

// The results of a change.
const (
	changed   = "success" // the change is made
	refused   = "refused" // nothing is changed: the request was not as it must be
	uncertain = "unknown" // it failed, and the database may or may not have made the change
)

// audit records who tried to change a user, and what became of it. id is 0 if there is no
// user of which to speak. The user's name and e-mail address are left out on purpose: the
// audit log outlives the user.
func (a *api) audit(r *http.Request, event string, id int64, err error) {
	result := resultOf(err)
	attrs := []attribute.KeyValue{
		attribute.String(auditKey, auditUsers),
		attribute.String(auditResult, result),
		attribute.String("request_id", httpx.RequestID(r.Context())),
	}
	if id != 0 {
		attrs = append(attrs, semconv.UserID(strconv.FormatInt(id, 10)))
	}
	if client := httpx.ClientAddress(r); client != "" {
		attrs = append(attrs, semconv.ClientAddress(client))
	}
	a.events.Event(r.Context(), event, messages[event][result], attrs...)
}

var messages = map[string]map[string]string{
	eventUserCreate: {changed: "user created", refused: "user not created", uncertain: "user perhaps created"},
	eventUserDelete: {changed: "user deleted", refused: "user not deleted", uncertain: "user perhaps deleted"},
}

// resultOf returns the result of a change that ended with err. The client's mistakes change
// nothing; after any other error, such as a connection that broke while the database
// committed, nobody knows.
func resultOf(err error) string {
	if err == nil {
		return changed
	}
	answer, ok := errors.AsType[*httpx.Error](err)
	if !ok {
		answer = classify(err)
	}
	if answer != nil && answer.Status < http.StatusInternalServerError {
		return refused
	}
	return uncertain
}
