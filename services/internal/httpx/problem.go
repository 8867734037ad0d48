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

// Problem is the document that describes an error to a client. It is RFC 9457's, with
// two more members: the ids that find the request in the logs and in the traces.
type Problem struct {
	// Type is always about:blank: the status says what kind of problem this is.
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
	// TraceID has 32 hex digits. It is left out if there is no trace.
	TraceID string `json:"trace_id,omitempty"`
	// TraceSampled is false if the trace was not recorded, see [HeaderTraceSampled]. It
	// is left out otherwise.
	TraceSampled *bool `json:"trace_sampled,omitempty"`
	// Errors says which fields are wrong (422).
	Errors []FieldError `json:"errors,omitempty"`
}

// RenderProblem writes e as a problem document about r. The router calls it for errors
// that handlers return. Call it yourself only where a library must answer by itself,
// such as a reverse proxy's error handler. It logs nothing.
func RenderProblem(w http.ResponseWriter, r *http.Request, e *Error) {
	h := w.Header()
	// The handler may have set these for its success. They do not describe the problem.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Location"} {
		h.Del(name)
	}
	if e.Allow != "" {
		h.Set("Allow", e.Allow)
	}
	SetRetryAfter(h, e.RetryAfter)
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

// SetRetryAfter sets Retry-After to whole seconds, rounded up. It leaves the header alone
// if after is 0.
func SetRetryAfter(h http.Header, after time.Duration) {
	if after > 0 {
		seconds := (after + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
}

// WriteJSON answers with v as JSON. If v cannot be marshalled, it returns an error and
// has written nothing. An error while writing means that the client has disconnected,
// and is not reported.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, status, "application/json", append(body, '\n'))
	return nil
}

// write sends a complete body, with its length.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
