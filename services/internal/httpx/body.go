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

// ReadBody reads the whole of a request's body. The error is an [Error]: 413 for a
// body over [MaxBody], 408 for one that does not arrive in time, 400 for one that
// breaks off. Every handler that wants a body reads it here, so that one fault has
// one status everywhere.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if cause := context.Cause(r.Context()); err == nil && (errors.Is(cause, errDeadline) || errors.Is(cause, context.DeadlineExceeded)) {
		// The whole body is there, but no time is left to do anything with it.
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		return nil, readError(err)
	}
	return body, nil
}

// DecodeJSON reads the request's body, one JSON object and nothing else, into
// dst. The error is an [Error]: 415 for another media type than application/json
// (in UTF-8), those of [ReadBody], and
// 400 for what is not JSON in UTF-8, is no object, has an unknown or mistyped
// field, or is followed by more.
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
		return Errorf(http.StatusBadRequest, "There is more after the JSON object.")
	}
	return nil
}

// isJSON takes application/json, with UTF-8 as the only charset.
func isJSON(contentType string) bool {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "application/json" {
		return false
	}
	charset, ok := params["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

// readError tells a body that is too long from one that did not come.
func readError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Errorf(http.StatusRequestEntityTooLarge, "The body is larger than %d KiB.", MaxBody>>10)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Error{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time.", Err: err}
	}
	return &Error{Status: http.StatusBadRequest, Detail: "The body could not be read.", Err: err}
}

// maxEcho bounds what an answer repeats of a body, in bytes.
const maxEcho = 100

// decodeDetail puts a decoder's error in words that show nothing of our types.
func decodeDetail(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return "The body has the wrong shape."
		}
		kind, _, _ := strings.Cut(e.Value, " ") // behind "number" is the number
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
