package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"
)

// MaxBody is the largest request body that [ReadBody] reads, in bytes.
const MaxBody = 64 << 10

// ReadBody reads the whole of a request's body. The error is an [Error]: 413 for a body
// over [MaxBody], 408 for a body that does not arrive in time, 400 for a body that
// breaks off. Handlers read bodies with it, so that a fault has the same status
// everywhere.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if cause := context.Cause(r.Context()); err == nil && (errors.Is(cause, errDeadline) || errors.Is(cause, context.DeadlineExceeded)) {
		// The body is complete, but too late: no time is left to work with it.
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		return nil, readError(err)
	}
	return body, nil
}

// readAhead reads the body of a request that has a route. A request occupies one of the
// places in flight only once its body is there, so that slow clients occupy none. What
// goes wrong here, [ReadBody] reports to the handler.
func readAhead(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	if _, pattern := mux.Handler(r); pattern == "" {
		return
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	r.Body = &readBody{content: bytes.NewReader(content), err: err}
}

// readBody is a body that has been read.
type readBody struct {
	content *bytes.Reader
	err     error // that ended the reading, nil at the body's end
}

// Read implements [io.Reader].
func (b *readBody) Read(p []byte) (int, error) {
	n, err := b.content.Read(p)
	if errors.Is(err, io.EOF) && b.err != nil {
		err = b.err
	}
	return n, err
}

// Close implements [io.Closer]. The server closes the body that it has sent itself.
func (b *readBody) Close() error { return nil }

// DecodeJSON reads the request's body into dst. The body must be a single JSON object.
// The error is an [Error]: one of [ReadBody]'s; 415 if the media type is not
// application/json in UTF-8; 400 if the body is not valid JSON or not an object, if a
// field is unknown or has the wrong type, or if anything follows the object.
func DecodeJSON(w http.ResponseWriter, r *http.Request, dst any) error {
	if !isJSON(r.Header.Get("Content-Type")) {
		return Errorf(http.StatusUnsupportedMediaType, "The body must be application/json.")
	}
	body, err := ReadBody(w, r)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return Errorf(http.StatusBadRequest, "The body is not valid UTF-8.")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return Errorf(http.StatusBadRequest, "The body must be one JSON object.")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return &Error{Status: http.StatusBadRequest, Detail: decodeDetail(err), Err: err}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Errorf(http.StatusBadRequest, "Nothing may follow the JSON object.")
	}
	return nil
}

// isJSON reports whether a Content-Type is application/json, in UTF-8 if it names a
// charset.
func isJSON(contentType string) bool {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "application/json" {
		return false
	}
	charset, ok := params["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

// readError turns an error of reading a body into the answer for the client.
func readError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Errorf(http.StatusRequestEntityTooLarge, "The body is larger than %d KiB.", MaxBody>>10)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Error{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time.", Err: err}
	}
	return &Error{Status: http.StatusBadRequest, Detail: "The body could not be read.", Err: err}
}

// maxEcho is how much of a body an answer repeats at most, in bytes.
const maxEcho = 100

// decodeDetail describes a decoder's error for the client, without the names of Go
// types.
func decodeDetail(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return "The body has the wrong shape."
		}
		kind, _, _ := strings.Cut(e.Value, " ") // the value follows the word "number"
		return "The field " + quote(e.Field) + " cannot be a " + kind + "."
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if len(field) > maxEcho {
			return "The body has a field that is not known."
		}
		return "The field " + field + " is not known."
	}
	return "The body is not valid JSON."
}

func quote(s string) string { return `"` + s + `"` }
