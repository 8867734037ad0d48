package httpx

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// ProblemContentType is the media type of every error document.
const ProblemContentType = "application/problem+json"

// Problem is the document that tells a client about an error: RFC 9457 with the
// two ids that find the request in the logs and in the traces.
type Problem struct {
	// Type is about:blank: the status says what kind of problem it is.
	Type string `json:"type"`
	// Title is the status's text.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Detail is a sentence about this occurrence.
	Detail string `json:"detail,omitempty"`
	// Instance is the request's path.
	Instance string `json:"instance"`
	// RequestID is the value of the X-Request-Id header.
	RequestID string `json:"request_id"`
	// TraceID is 32 hex digits, left out where there is no trace.
	TraceID string `json:"trace_id,omitempty"`
	// TraceSampled is false where the trace was not recorded, see
	// [HeaderTraceSampled], and left out otherwise.
	TraceSampled *bool `json:"trace_sampled,omitempty"`
	// Errors says which fields are wrong (422).
	Errors []FieldError `json:"errors,omitempty"`
}

// RenderProblem writes e as a problem document about r. The router does it for
// errors that handlers return; call it only where a library wants to answer by
// itself, as a reverse proxy's error handler does. It logs nothing.
func RenderProblem(w http.ResponseWriter, r *http.Request, e *Error) {
	h := w.Header()
	// What a handler set up for its success does not describe the problem.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Location"} {
		h.Del(name)
	}
	if e.Allow != "" {
		h.Set("Allow", e.Allow)
	}
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	p := Problem{
		Type:      "about:blank",
		Title:     statusText(e.Status),
		Status:    e.Status,
		Detail:    e.Detail,
		Instance:  r.URL.EscapedPath(),
		RequestID: RequestID(r.Context()),
		Errors:    e.Fields,
	}
	if sc := trace.SpanContextFromContext(r.Context()); sc.HasTraceID() {
		p.TraceID = sc.TraceID().String()
		if !sc.IsSampled() {
			p.TraceSampled = new(bool)
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		// A struct of strings and numbers always marshals.
		panic(err)
	}
	write(w, e.Status, ProblemContentType, append(body, '\n'))
}

// WriteJSON answers with v as JSON. It returns an error, with nothing written
// yet, if v cannot be marshalled; an error while writing means that the client
// is gone, and is not reported.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, status, "application/json", append(body, '\n'))
	return nil
}

// write sends a whole body at once, so that its length is known.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
