package users

import "strings"

// Error is an error of the domain. Compare it with errors.Is.
type Error struct {
	message, errorType string
}

// Error implements error.
func (e *Error) Error() string { return e.message }

// ErrorType is the error.type attribute of spans and metrics.
func (e *Error) ErrorType() string { return e.errorType }

// The errors of the domain, except [ValidationError].
var (
	// ErrNotFound means that there is no user with this id.
	ErrNotFound = &Error{"there is no such user", "not_found"}
	// ErrEmailTaken means that another user has this e-mail address, in upper or lower
	// case.
	ErrEmailTaken = &Error{"the e-mail address is taken", "email_taken"}
	// ErrBusy means that the store stayed locked for too long. A retry a little later
	// will probably succeed.
	ErrBusy = &Error{"the store is busy", "busy"}
	// ErrFull means that the store has no room for a change. What is stored can be read
	// meanwhile, and a retry will succeed once there is room.
	ErrFull = &Error{"the store is full", "full"}
	// ErrUnavailable means that the store cannot be reached. A retry will succeed once it
	// can.
	ErrUnavailable = &Error{"the store cannot be reached", "unavailable"}
	// ErrBadCursor means that the cursor does not come from a page.
	ErrBadCursor = &Error{"the cursor is not valid", "bad_cursor"}
	// ErrBadID means that no user can have this id.
	ErrBadID = &Error{"the id is not valid", "bad_id"}
)

// Field says what is wrong with one field.
type Field struct {
	// Name is the JSON name.
	Name string
	// Detail says what is wrong, in one sentence for people. It does not repeat the
	// value.
	Detail string
}

// ValidationError names the invalid fields of a user.
type ValidationError struct {
	Fields []Field
}

// Error names the fields, but not their values, because it is logged.
func (e *ValidationError) Error() string {
	names := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		names[i] = f.Name
	}
	return "invalid " + strings.Join(names, ", ")
}

// ErrorType is the error.type attribute.
func (e *ValidationError) ErrorType() string { return "invalid_user" }
