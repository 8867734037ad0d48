package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// StatusClientClosedRequest is nginx's 499. It is logged and counted for a request
// whose client disconnected before the answer; it is never sent.
const StatusClientClosedRequest = 499

// FieldError says what is wrong with one field of a request's body.
type FieldError struct {
	// Field is the field's name as the client wrote it, "" for the body as a whole.
	Field string `json:"field"`
	// Detail says what is wrong, in one sentence for people.
	Detail string `json:"detail"`
}

// Error is an error together with the answer that the client gets. Err is only logged;
// everything else is sent.
type Error struct {
	// Status is the HTTP status, 400 to 599.
	Status int
	// Detail is one sentence for the client. An empty one is left out.
	Detail string
	// Fields says which fields of the body are wrong.
	Fields []FieldError
	// RetryAfter is when the client may try again. It is rounded up to whole seconds,
	// and left out if it is 0.
	RetryAfter time.Duration
	// Allow is the Allow header of a 405.
	Allow string
	// Err is the cause. It is for the log, and for errors.Is.
	Err error
}

// Error is the message for the log.
func (e *Error) Error() string {
	msg := strconv.Itoa(e.Status) + " " + statusText(e.Status)
	if e.Detail != "" {
		msg += ": " + e.Detail
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// cause returns the error to log: Err, or e itself if there is no Err.
func (e *Error) cause() error {
	if e.Err != nil {
		return e.Err
	}
	return e
}

// ErrorType is the error.type attribute. It is the status code, which the HTTP semantic
// conventions want if nothing more exact is known.
func (e *Error) ErrorType() string { return strconv.Itoa(e.Status) }

// Errorf returns an Error with a formatted detail. The detail is sent to the client, so
// keep internals out of it.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// panicError is a handler's panic as an error, for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Unwrap returns the value of the panic if that is an error.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

func (e *panicError) ErrorType() string { return "panic" }

// errAborted stands for a panic with [http.ErrAbortHandler]. A reverse proxy panics so
// when the body that it passes on breaks off.
var errAborted = abortedError{}

type abortedError struct{}

func (abortedError) Error() string     { return "the handler aborted the response" }
func (abortedError) ErrorType() string { return "aborted" }

// errDeadline is the cause of a context that the router's timeout has ended. It is a
// timeout for all who ask, because an HTTP transport returns the cause as its error.
var errDeadline = fmt.Errorf("the handler's deadline passed: %w", context.DeadlineExceeded)

// asError decides how err is answered.
//
// If the client has disconnected, that wins over the handler's error. The exception is
// a handler that returned an [Error] of its own: net/http also cancels the context when
// a body does not arrive in time, and then the client is still there to read the
// answer.
func asError(ctx context.Context, err error, classify func(error) *Error) *Error {
	tooLate := errors.Is(context.Cause(ctx), errDeadline)
	said, isSaid := errors.AsType[*Error](err)
	switch {
	case isPanic(err):
		return &Error{Status: http.StatusInternalServerError, Err: err}
	case ctx.Err() != nil && !tooLate && (!isSaid || errors.Is(err, context.Canceled)):
		return &Error{Status: StatusClientClosedRequest, Err: err}
	case isSaid && said.Status >= 400 && said.Status <= 599:
		return said
	}
	if classify != nil {
		if classified := classify(err); classified != nil {
			e := *classified
			if e.Err == nil {
				e.Err = err
			}
			return &e
		}
	}
	if tooLate {
		return &Error{
			Status:     http.StatusServiceUnavailable,
			Detail:     "The request took too long and was given up.",
			RetryAfter: time.Second,
			Err:        err,
		}
	}
	return &Error{Status: http.StatusInternalServerError, Err: err}
}

func isPanic(err error) bool {
	_, ok := errors.AsType[*panicError](err)
	return ok
}

func statusText(status int) string {
	if status == StatusClientClosedRequest {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}
