package httpx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// StatusClientClosedRequest is what is logged, and counted, for a request whose
// client went away before the answer: nginx's 499. Nobody receives it.
const StatusClientClosedRequest = 499

// FieldError says what is wrong with one field of a request's body.
type FieldError struct {
	// Field is the field's name as the client wrote it, "" for the body as a whole.
	Field string `json:"field"`
	// Detail is a sentence for people.
	Detail string `json:"detail"`
}

// Error is an error that knows how it is told to a client. Everything but Err is
// sent; Err is logged only.
type Error struct {
	// Status is the HTTP status, 400 to 599.
	Status int
	// Detail is a sentence for the client; empty leaves it out.
	Detail string
	// Fields says which fields of the body are wrong.
	Fields []FieldError
	// RetryAfter asks the client to come back later; rounded up to whole
	// seconds, left out if 0.
	RetryAfter time.Duration
	// Allow is the Allow header of a 405.
	Allow string
	// Err is the cause, for the log and for errors.Is.
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

// cause is what is logged: Err, or e itself where there is none.
func (e *Error) cause() error {
	if e.Err != nil {
		return e.Err
	}
	return e
}

// ErrorType is the error.type attribute: the status code, as the HTTP semantic
// conventions want it where there is nothing more exact.
func (e *Error) ErrorType() string { return strconv.Itoa(e.Status) }

// Errorf returns an Error with a formatted detail. The detail is sent to the
// client: put nothing internal in it.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Detail: fmt.Sprintf(format, args...)}
}

// panicError is a handler's panic on its way to the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Unwrap lets errors.Is see an error that was panicked with.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

func (e *panicError) ErrorType() string { return "panic" }

// errAborted stands for a handler's panic with [http.ErrAbortHandler], by which a
// reverse proxy says that the body it passes on broke off.
var errAborted = abortedError{}

type abortedError struct{}

func (abortedError) Error() string     { return "the handler gave the answer up half-way" }
func (abortedError) ErrorType() string { return "aborted" }

// errDeadline is the cause of a context that ran into the router's own timeout.
var errDeadline = errors.New("the handler's deadline passed")

// asError decides what err is to a client.
//
// That the client is gone comes before what the handler made of it, unless the
// handler said something of its own: net/http also ends the context when a body
// does not arrive in time, and then there is a client to be told so.
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
